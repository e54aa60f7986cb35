"""What a run will cost, before anything is spent: never less than it does cost, and less as the journal grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from steiner.training.teacher.client import Call, request_body
from steiner.training.teacher.completions import grow_tree
from steiner.training.teacher.config import TeachConfig
from steiner.training.teacher.journal import Journal, Reply, request_key
from steiner.training.teacher.plan import Estimate, estimate, plan_table
from steiner.training.teacher.price import cost, prompt_tokens, rule
from steiner.training.teacher.prompts import CallKind
from steiner.training.teacher.question import Question

QUESTIONS = [Question(f"q{number}", f"What is {number} plus 4?", str(number + 4)) for number in range(3)]
LONGEST = 400


@pytest.fixture
def config_of(tmp_path: Path) -> Callable[..., TeachConfig]:
    def build(**changes: Any) -> TeachConfig:
        fields: dict[str, Any] = {
            "name": "test",
            "seed": 1,
            "output": tmp_path / "run",
            "questions": {"file": "q.jsonl"},
            "teacher": {"base_url": "http://127.0.0.1:9/v1", "model": "m", "max_completion_tokens": LONGEST},
            "price": {"per_million_prompt_tokens": 1, "per_million_completion_tokens": 4, "cap": 1},
            "completions": {"attempts": 2, "truncations": 2},
            "embeddings": {"model": "none"},
        }
        return TeachConfig.model_validate(fields | changes)

    return build


def text_of(kind: CallKind) -> str:
    """Two steps and a wrong answer, whatever is asked."""
    step = "Understanding: a\nNext step: b\nCheck: c\nSummary: d"
    wrong = "Wrong: step 1: it is not\n" if kind == "revealed" else ""
    return f"{wrong}Step 1\n{step}\nStep 2\n{step}\nAnswer: none"


class Paid:
    """Answers, and keeps them in the journal at the price of their tokens."""

    def __init__(self, config: TeachConfig, journal: Journal, calls: int = 1_000) -> None:
        self.config = config
        self.journal = journal
        self.left = calls

    async def __call__(self, call: Call) -> Reply:
        key = request_key(request_body(self.config.teacher, call), call.number)
        if (kept := self.journal.get(key)) is not None:
            return kept
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        text = text_of(call.kind)
        prompt, completed = prompt_tokens(rule, [m["content"] for m in call.messages]), rule(text)
        paid = cost(self.config.price, prompt, completed)
        reply = Reply(call.kind, text, None, False, prompt, completed, paid)
        self.journal.add(key, reply)
        return reply


async def pay(config: TeachConfig, journal: Journal, questions: list[Question], calls: int = 1_000) -> None:
    for question in questions:
        await grow_tree(config, question, Paid(config, journal, calls))


def planned(config: TeachConfig, journal: Journal) -> dict[CallKind, Estimate]:
    return estimate(config, QUESTIONS, journal, rule)


def test_before_the_first_request_every_call_that_may_be_made_is_counted(
    config_of: Callable[..., TeachConfig], tmp_path: Path
) -> None:
    config = config_of()
    with Journal(tmp_path / "none.jsonl", read_only=True) as journal:
        plan = planned(config, journal)
    assert not (tmp_path / "none.jsonl").exists()
    assert [plan[kind].calls for kind in ("attempt", "hidden", "revealed")] == [6, 12, 12]
    for one in plan.values():
        assert one.completion_tokens == one.calls * LONGEST
        assert one.cost == pytest.approx(cost(config.price, one.prompt_tokens, one.completion_tokens))
        assert (one.paid.calls, one.likely_cost) == (0, None)
    assert plan["hidden"].prompt_tokens > 12 * LONGEST
    assert plan["revealed"].prompt_tokens > 24 * LONGEST


def test_it_is_never_less_than_what_is_paid_in_the_end(
    config_of: Callable[..., TeachConfig], tmp_path: Path
) -> None:
    config = config_of()
    with Journal(tmp_path / "journal.jsonl") as journal:
        before = planned(config, journal)
        asyncio.run(pay(config, journal, QUESTIONS))
        after = planned(config, journal)
    for kind, one in after.items():
        assert (one.calls, one.cost, one.paid.calls) == (0, 0.0, before[kind].calls)
        assert 0 < one.paid.cost <= before[kind].cost
        assert one.paid.prompt_tokens <= before[kind].prompt_tokens


def test_what_was_paid_says_what_the_rest_will_likely_cost(
    config_of: Callable[..., TeachConfig], tmp_path: Path
) -> None:
    config = config_of()
    with Journal(tmp_path / "journal.jsonl") as journal:
        asyncio.run(pay(config, journal, QUESTIONS[:1]))
        plan = planned(config, journal)
    assert [plan[kind].calls for kind in ("attempt", "hidden", "revealed")] == [4, 8, 8]
    for one in plan.values():
        assert one.likely_cost == pytest.approx(one.calls * one.paid.cost / one.paid.calls)
        assert one.likely_cost is not None
        assert one.likely_cost < one.cost


def test_what_follows_from_an_answer_that_is_there_is_known_better(
    config_of: Callable[..., TeachConfig], tmp_path: Path
) -> None:
    config = config_of(completions={"attempts": 1, "truncations": 2})
    with Journal(tmp_path / "journal.jsonl") as journal:
        first = planned(config, journal)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(pay(config, journal, QUESTIONS[:1], calls=2))
        then = planned(config, journal)
    # Of the first question the attempt is there and one of its two completions.
    assert [then[kind].calls for kind in ("attempt", "hidden", "revealed")] == [2, 5, 6]
    assert then["hidden"].prompt_tokens < first["hidden"].prompt_tokens - LONGEST
    assert then["revealed"].prompt_tokens < first["revealed"].prompt_tokens


def test_another_setting_of_the_call_is_paid_for_again_and_of_the_traces_not(
    config_of: Callable[..., TeachConfig], tmp_path: Path
) -> None:
    config = config_of()
    warmer = config.model_copy(update={"teacher": config.teacher.model_copy(update={"temperature": 1.3})})
    with Journal(tmp_path / "journal.jsonl") as journal:
        asyncio.run(pay(config, journal, QUESTIONS))
        assert planned(warmer, journal)["attempt"].calls == 6
        for change in ({"paths": {"per_question": 9}}, {"clusters": {"distance": 0.4}}, {"seed": 1}):
            assert sum(one.calls for one in planned(config_of(**change), journal).values()) == 0


def test_the_table_tells_what_is_paid_and_what_is_to_pay(
    config_of: Callable[..., TeachConfig], tmp_path: Path
) -> None:
    config = config_of()
    out = StringIO()
    with Journal(tmp_path / "journal.jsonl") as journal:
        Console(file=out, width=200).print(plan_table(config, planned(config, journal)))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines()]
    by_kind = {row[0]: row[1:] for row in rows if row}
    assert by_kind["attempt"][:3] == ["0", "0.0000", "6"]
    assert by_kind["all"][2] == "30"
    assert by_kind["all"][4:] == ["12,000", by_kind["all"][5], "unknown"]
    assert "USD, at most" in out.getvalue()
