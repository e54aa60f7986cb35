"""Replies to GSM8K and BBH, marked."""

import json
from pathlib import Path

import pytest

from steiner.training.evals.published_questions import (
    PublishedQuestion,
    QuestionsError,
    read_questions,
    result_in,
)


@pytest.mark.parametrize(
    ("family", "target", "reply", "is_right"),
    [
        ("gsm8k", "18", "9 * 2 = 18\nAnswer: 18", True),
        ("gsm8k", "18", "Answer: $18.00 a day", True),
        ("gsm8k", "1023", "**Answer: 1,023**", True),
        ("gsm8k", "18", "18 it is not.\nAnswer: 19", False),
        ("gsm8k", "18", "no idea", False),
        ("gsm8k", "-3", "So the answer is -3.", True),
        ("bbh/navigate", "No", "Yes or no?\nAnswer: no.", True),
        ("bbh/navigate", "No", "Answer: Yes", False),
        ("bbh/logical_deduction_three_objects", "(B)", "Answer: (B) the owl", True),
        ("bbh/logical_deduction_three_objects", "(B)", "Answer: B", True),
        ("bbh/logical_deduction_three_objects", "(B)", "Answer: B. the owl", True),
        ("bbh/logical_deduction_three_objects", "(B)", "Answer: Because of it", False),
        ("bbh/word_sorting", "ant bee", "Answer: Ant  bee", True),
        ("bbh/boolean_expressions", "True", "", False),
    ],
)
def test_replies_are_marked(family: str, target: str, reply: str, is_right: bool) -> None:
    assert PublishedQuestion(family, "?", target).accepts(reply) is is_right


def test_the_last_announcement_counts() -> None:
    assert result_in("Answer: 3\nNo, wait.\nAnswer: 4\n") == "4"
    assert result_in("first\n\n*last*\n") == "last"
    assert result_in("") == ""


def test_files_are_read_and_drawn_from(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": f"so\n#### {n}"} for n in range(50)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (tmp_path / "navigate.json").write_text(json.dumps({"examples": [{"input": "Yes?", "target": "Yes"}]}))
    named = [f"gsm8k={tmp_path / 'test.jsonl'}", f"bbh={tmp_path / 'navigate.json'}"]
    every = read_questions(named, None, 1)
    assert [question.family for question in every] == ["gsm8k"] * 50 + ["bbh/navigate"]
    assert every[7].prompt.startswith("7?\n\n")
    drawn = read_questions(named, 10, 1)
    assert len(drawn) == 11
    assert drawn == read_questions(named, 10, 1) != read_questions(named, 10, 2)
    assert set(drawn) <= set(every)


@pytest.mark.parametrize("text", ["{}", '{"question": "?", "answer": "none"}', "[1]", "no json"])
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_text(text)
    for name in ("gsm8k", "bbh"):
        with pytest.raises(QuestionsError, match=str(path)):
            read_questions([f"{name}={path}"], None, 1)
