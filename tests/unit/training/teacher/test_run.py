"""A whole run with a teacher that writes text: sums, some of them wrong, and what is made of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bag_of_words import save_bag_of_words
from tests.played_teacher import Answer, Play, PlayedTeacher, completion, refusal

from steiner.training.data.kinds import DAGS, TRACES
from steiner.training.data.manifest import is_complete
from steiner.training.data.shards import read_records
from steiner.training.data.teacher_runs import describe_teacher_runs
from steiner.training.teacher import manifest as manifest_module
from steiner.training.teacher.config import TeachConfig, TeachError
from steiner.training.teacher.run import plan, teach

NUM_QUESTIONS = 6
EMPTY = str(Path(__file__).parent)
"""A folder without a model."""
WORDS = ["start", "with", "add", "is", *map(str, range(100))]


def step(total: int, number: int, by: int, told: int) -> str:
    return (
        f"Understanding: so far {total}\nNext step: add {number} is {told}\n"
        f"Check: {total} + {number} = {told}\nSummary: now {told}"
    )


def solution(numbers: list[int], start: int, total: int, wrong_at: int | None) -> str:
    """Steps from `start` on; the one at `wrong_at` is off by ten."""
    lines = []
    for place, number in enumerate(numbers[start:], start):
        told = total + number + (10 if place == wrong_at else 0)
        lines.append(f"Step {place + 1}\n{step(total, number, 0, told)}")
        total = told
    return "\n\n".join(lines) + f"\n\nAnswer: {total}"


def adder(body: dict[str, Any]) -> Answer:
    """Adds up from left to right; every second answer makes a mistake somewhere."""
    text = body["messages"][-1]["content"]
    numbers = [int(n) for n in re.findall(r"\d+", text.splitlines()[0])]
    written = [int(n) for n in re.findall(r"^Summary: now (\d+)$", text, re.M)]
    odd = bool(body["seed"] % 2)
    if "The right answer is" in text:
        right = [sum(numbers[: place + 1]) for place in range(len(numbers))]
        wrong = next(place for place, total in enumerate(written) if total != right[place])
        fixed = solution(numbers, wrong, right[wrong - 1] if wrong else 0, None)
        return completion(f"Wrong: step {wrong + 1}: it is not {written[wrong]}\n\n{fixed}")
    total = written[-1] if written else 0
    start = len(written)
    somewhere = start + body["seed"] // 2 % (len(numbers) - start)
    return completion(solution(numbers, start, total, somewhere if odd else None))


@pytest.fixture
def config_of(tmp_path: Path) -> Callable[..., TeachConfig]:
    """A run over sums of four numbers."""
    model = save_bag_of_words(tmp_path / "embedding", WORDS)
    records = [
        {"id": f"q{n}", "question": f"Add {n} {n + 1} 3 {n + 2}.", "answer": 3 * n + 6}
        for n in range(NUM_QUESTIONS)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))

    def build(url: str, **changes: Any) -> TeachConfig:
        fields: dict[str, Any] = {
            "name": "sums",
            "seed": 1,
            "output": tmp_path / "run",
            "questions": {"file": tmp_path / "q.jsonl"},
            "teacher": {"base_url": url, "model": "adder", "concurrency": 4},
            "price": {"per_million_prompt_tokens": 1, "per_million_completion_tokens": 4, "cap": 1},
            "completions": {"attempts": 2, "truncations": 2, "judge": "number"},
            "embeddings": {"model": model},
            "clusters": {"distance": 0.1},
        }
        return TeachConfig.model_validate(fields | changes)

    return build


Start = Callable[[Play], PlayedTeacher]
ConfigOf = Callable[..., TeachConfig]


def files(config: TeachConfig) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (config.output / "data").rglob("*.*")}


def test_mistakes_become_detours_and_their_reasons_refutations(
    play_teacher: Start, config_of: ConfigOf
) -> None:
    played = play_teacher(adder)
    config = config_of(played.url)
    at_most = plan(config)
    summary = teach(config)
    assert 0 < summary.spent <= sum(one.cost for one in at_most.values())
    assert summary.spent == pytest.approx(len(played.requests) * (100 + 4 * 50) / 1e6)
    assert (summary.questions, summary.unsolved, summary.dropped) == (NUM_QUESTIONS, 0, {})
    traces = list(read_records(config.output / "data", TRACES))
    assert summary.traces == len(traces)
    assert (
        summary.with_backtracks == sum(any(s["to_depth"] is not None for s in t["steps"]) for t in traces) > 0
    )
    for trace in traces:
        total, path, numbers = 0, [0], [int(n) for n in re.findall(r"\d+", trace["prompt"])]
        for told in trace["steps"]:
            # Each step goes on from where the search stands, and only what is off is ever refuted.
            assert told["understanding"] == f"so far {total}"
            total = int(told["next_step"].split()[-1])
            path.append(total)
            if told["to_depth"] is not None:
                assert told["verdict"] == "refuted"
                assert total > sum(numbers[: len(path) - 1])
                assert told["verification"].startswith(("it is not", "This does not lead to a right answer."))
                del path[told["to_depth"] + 1 :]
                total = path[-1]
        assert path == [sum(numbers[:place]) for place in range(len(numbers) + 1)]
        assert trace["answer"] == trace["guess"] == str(total) == str(sum(numbers))
    reasons = [s["verification"] for t in traces for s in t["steps"] if s["to_depth"] is not None]
    assert any(reason.startswith("it is not") for reason in reasons)


def test_the_manifest_tells_what_there_is(play_teacher: Start, config_of: ConfigOf) -> None:
    config = config_of(play_teacher(adder).url)
    summary = teach(config)
    data = config.output / "data"
    told = json.loads((data / "manifest.json").read_text())
    assert told["summary"]["spent"] == summary.spent
    assert told["config"]["teacher"]["model"] == "adder"
    assert str(config.output) not in json.dumps(told["config"]["teacher"])
    for kind, number in ((DAGS, NUM_QUESTIONS), (TRACES, summary.traces)):
        described = told["kinds"][kind.name]
        assert described["records"] == number == len(list(read_records(data, kind)))
        for name, shard in described["shards"].items():
            assert shard["sha256"] == hashlib.sha256((data / name).read_bytes()).hexdigest()
    [run] = describe_teacher_runs([config.output])
    assert run == {"records": summary.traces, "sha256": told["kinds"]["traces"]["sha256"]}
    ids = {trace["id"].rsplit("-", 1)[0] for trace in read_records(data, TRACES)}
    assert ids == {dag["id"] for dag in read_records(data, DAGS)}


def test_the_same_journal_gives_the_same_files_without_a_teacher(
    play_teacher: Start, config_of: ConfigOf
) -> None:
    played = play_teacher(adder)
    first = teach(config_of(played.url))
    before, asked = files(config_of(played.url)), len(played.requests)
    played.stop()
    assert teach(config_of(played.url)) == first
    assert files(config_of(played.url)) == before
    # What is made of the answers may be changed for nothing.
    more = teach(config_of(played.url, paths={"per_question": 9}))
    assert more.traces > first.traces
    assert len(played.requests) == asked


def test_a_run_that_an_error_stopped_goes_on_where_it_was(play_teacher: Start, config_of: ConfigOf) -> None:
    whole = play_teacher(adder)
    wanted = teach(config_of(whole.url))
    expected = files(config_of(whole.url))
    (config_of(whole.url).output / "journal.jsonl").unlink()

    def fails_after_ten(body: dict[str, Any]) -> Answer:
        return adder(body) if len(first.requests) <= 10 else refusal(401, "the key was withdrawn")

    first = play_teacher(fails_after_ten)
    with pytest.raises(TeachError, match="the key was withdrawn"):
        teach(config_of(first.url))
    second = play_teacher(adder)
    assert teach(config_of(second.url)) == wanted
    assert len(second.requests) == len(whole.requests) - 10
    told = files(config_of(second.url))
    del told["manifest.json"], expected["manifest.json"]
    assert {name for name in told if told[name] != expected[name]} <= {"journal.jsonl"}


def test_fewer_records_leave_no_shard_behind(
    play_teacher: Start, config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = play_teacher(adder)
    monkeypatch.setattr(manifest_module, "SHARD_RECORDS", 4)
    config = config_of(played.url)
    teach(config)
    traces = list(read_records(config.output / "data", TRACES))
    assert len(list((config.output / "data/traces").iterdir())) == -(-len(traces) // 4)
    (config.output / "data/traces/00099.parquet.partial").touch()
    few = config_of(played.url, questions={"file": config.questions.file, "limit": 2})
    teach(few)
    kept = list(read_records(config.output / "data", TRACES))
    assert kept == traces[: len(kept)]
    assert len(list((config.output / "data/traces").iterdir())) == -(-len(kept) // 4)
    assert is_complete(config.output / "data")


def test_a_question_without_a_right_answer_gives_a_graph_and_no_traces(
    play_teacher: Start, config_of: ConfigOf
) -> None:
    def stubborn(body: dict[str, Any]) -> Answer:
        if "The right answer" in body["messages"][-1]["content"]:
            return refusal(400, "filtered")
        return completion(f"Step 1\n{step(0, 1, 0, 99)}\n\nStep 2\n{step(99, 1, 0, 98)}\n\nAnswer: 98")

    summary = teach(config_of(play_teacher(stubborn).url))
    assert (summary.unsolved, summary.traces, summary.forward_only) == (NUM_QUESTIONS, 0, 0)
    told = summary.lines()
    assert told[0] == "6 questions: 6 without a right answer, 0 without a wrong turn"
    assert told[-1] == "dropped 24 times: revealed: refused: Error code: 400 - filtered"


def test_texts_that_the_limit_of_tokens_ended_are_counted(play_teacher: Start, config_of: ConfigOf) -> None:
    def cut(body: dict[str, Any]) -> Answer:
        whole = adder(body).body["choices"][0]["message"]["content"]
        return completion(whole[:-12], finish_reason="length")

    summary = teach(config_of(play_teacher(cut).url))
    assert (summary.cut_off, summary.dropped, summary.unsolved) == (6 * (2 + 4), {}, NUM_QUESTIONS)
    assert "36 texts were cut off by the limit of tokens" in summary.lines()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"embeddings": {"model": EMPTY}}, f"embeddings.model: {EMPTY} cannot be loaded"),
        ({"prompts": {"attempt": "{question} {unit}"}}, "question 'q0' has no unit"),
        ({"questions": {"file": "none.jsonl"}}, "none.jsonl: No such file"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_paid_for(
    play_teacher: Start,
    config_of: ConfigOf,
    changes: dict[str, Any],
    named: str,
) -> None:
    played = play_teacher(adder)
    with pytest.raises(TeachError, match=re.escape(named)):
        teach(config_of(played.url, **changes))
    assert played.requests == []
