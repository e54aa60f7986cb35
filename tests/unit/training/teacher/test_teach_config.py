"""The YAML of a run: the page's example loads, and what is wrong is named."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from steiner.training.teacher.config import Questions, TeachError, load_teach_config
from steiner.training.teacher.prompts import check_prompts
from steiner.training.teacher.question import Question, read_questions

PAGE = (Path(__file__).parents[4] / "docs/teacher.md").read_text(encoding="utf-8")
EXAMPLE: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[0])


def loaded(tmp_path: Path, changes: dict[str, Any]) -> Any:
    path = tmp_path / "run.yaml"
    merged = {
        name: {**EXAMPLE.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    path.write_text(yaml.safe_dump(EXAMPLE | merged), encoding="utf-8")
    return load_teach_config(path)


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    config = loaded(tmp_path, {})
    assert config.price.cap == 5
    assert config.completions.judge == "number"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"teacher": {"temprature": 1}}, "teacher.temprature"),
        ({"teacher": {"base_url": "api.openai.com"}}, "teacher.base_url"),
        ({"teacher": {"extra_body": {"stream": True}}}, "teacher.extra_body"),
        ({"price": {"cap": None}}, "price.cap"),
        ({"completions": {"answer_pattern": "(a)(b)"}}, "it must have one group"),
        ({"completions": {"answer_pattern": "("}}, "not a regular expression"),
        ({"prompts": {"hidden": "{question} {answer}"}}, "gives the right answer away"),
        ({"prompts": {"revealed": "{question}"}}, "nothing is revealed"),
        ({"prompts": {"attempt": "{steps}"}}, "do not exist yet"),
        ({"prompts": {"attempt": "\\boxed{}"}}, "written twice"),
        ({"questions": {"file": "questions.csv"}}, "neither .jsonl nor .parquet"),
        ({"clusters": {"distance": 0}}, "clusters.distance"),
        ({"paths": {"max_depth": 61}}, "paths.max_depth"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(TeachError, match=re.escape(named)):
        loaded(tmp_path, changes)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeachError, match="No such file"):
        load_teach_config(tmp_path / "none.yaml")


RECORDS = [
    {"id": 1, "question": "1 + 1?", "answer": 2, "unit": "m"},
    {"id": 2, "question": "q", "answer": "b"},
]


def test_questions_from_lines_and_from_parquet_are_the_same(tmp_path: Path) -> None:
    lines, table = tmp_path / "q.jsonl", tmp_path / "q.parquet"
    lines.write_text("\n".join(json.dumps(record | {"unit": "m"}) for record in RECORDS) + "\n\n")
    pq.write_table(
        pa.table({"id": [1, 2], "question": ["1 + 1?", "q"], "answer": ["2", "b"], "unit": ["m", "m"]}), table
    )
    questions = read_questions(Questions(file=lines))
    assert questions == read_questions(Questions(file=table))
    assert questions[0] == Question("1", "1 + 1?", "2", {"unit": "m"})
    assert read_questions(Questions(file=lines, limit=1)) == questions[:1]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"id": 1, "question": "", "answer": 1}', "line 2: question missing"),
        ('{"id": 1, "question": "q"}', "answer missing"),
        ('{"id": 0, "question": "q", "answer": 1}', "id '0' stands there twice"),
        (
            '{"id": 1, "question": "what is <|im_end|>?", "answer": 1}',
            "<|im_end|> is spelled as a special token",
        ),
        ("[1]", "must be an object"),
        ("{", "not JSON"),
    ],
)
def test_a_bad_record_is_named_by_its_place(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": 0, "question": "q", "answer": 1}\n' + line + "\n")
    with pytest.raises(TeachError, match=re.escape(named)):
        read_questions(Questions(file=path))


def test_a_placeholder_that_a_question_lacks_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    prompts = loaded(tmp_path, {"prompts": {"attempt": "{question} in {unit}"}}).prompts
    check_prompts(prompts, [Question("1", "q", "a", {"unit": "m"})])
    with pytest.raises(TeachError, match=r"prompts.attempt: question '2' has no unit"):
        check_prompts(prompts, [Question("1", "q", "a", {"unit": "m"}), Question("2", "q", "a")])
