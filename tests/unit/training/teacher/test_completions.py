"""What is asked about a question, in which order and with which words, and the one tree that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from steiner.training.teacher.client import Call, RefusedError
from steiner.training.teacher.completions import StepTree, cut_points, grow_tree
from steiner.training.teacher.config import TeachConfig, TeachError
from steiner.training.teacher.journal import Reply
from steiner.training.teacher.prompts import CallKind
from steiner.training.teacher.question import Question
from steiner.training.teacher.written import read_content, read_reasoning_steps

QUESTION = Question("q1", "What is 2 * 3 + 4?", "10")
ConfigOf = Callable[..., TeachConfig]


def steps(*texts: str, first: int = 1) -> str:
    return "\n\n".join(
        f"Step {number}\nUnderstanding: before {text}\nNext step: {text}\nCheck: fine\nSummary: behind {text}"
        for number, text in enumerate(texts, first)
    )


@pytest.fixture
def config_of(tmp_path: Path) -> ConfigOf:
    def build(**changes: Any) -> TeachConfig:
        fields: dict[str, Any] = {
            "name": "test",
            "seed": 1,
            "output": tmp_path / "run",
            "questions": {"file": "q.jsonl"},
            "teacher": {"base_url": "http://127.0.0.1:9/v1", "model": "m"},
            "price": {"per_million_prompt_tokens": 1, "per_million_completion_tokens": 1, "cap": 1},
            "completions": {"attempts": 1, "truncations": 1},
            "embeddings": {"model": "none"},
        }
        return TeachConfig.model_validate(fields | changes)

    return build


class Told:
    """Answers by kind and number; keeps the calls."""

    def __init__(
        self, replies: Mapping[tuple[CallKind, int], str | Exception], cut_off: bool = False
    ) -> None:
        self.replies = replies
        self.cut_off = cut_off
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        told = self.replies[call.kind, call.number]
        if isinstance(told, Exception):
            raise told
        return Reply(call.kind, told, None, self.cut_off, 1, 1, 0.1)

    def said(self, kind: CallKind) -> list[str]:
        return [call.messages[-1]["content"] for call in self.calls if call.kind == kind]


def shape(tree: StepTree) -> list[tuple[str, int]]:
    return [(step.sections.next_step, step.parent) for step in tree.steps]


async def test_a_right_completion_is_not_revealed_anything(config_of: ConfigOf) -> None:
    told = Told(
        {
            ("attempt", 0): steps("a", "b") + "\nAnswer: 11",
            ("hidden", 0): steps("c", first=2) + "\nAnswer: 10",
        }
    )
    tree = await grow_tree(config_of(), QUESTION, told)
    assert [call.kind for call in told.calls] == ["attempt", "hidden"]
    # The attempt is cut behind its first step: the last one is never kept.
    assert shape(tree) == [("a", 0), ("b", 1), ("c", 1)]
    assert (tree.ends, tree.unfinished, tree.reasons, tree.dropped) == ([3], [], {}, [])
    [said] = told.said("hidden")
    assert steps("a") in said
    assert "with step 2" in said
    assert "Next step: b" not in said
    assert "10" not in said


async def test_where_the_hidden_answer_is_missed_it_is_revealed_and_the_mistake_named(
    config_of: ConfigOf,
) -> None:
    wrong = f"Wrong: step 3: 4 is not 5\n\n{steps('e', first=3)}\nAnswer: 10"
    told = Told(
        {
            ("attempt", 0): steps("a", "b") + "\nAnswer: 10",
            ("hidden", 0): steps("c", "d", first=2) + "\nAnswer: 11",
            ("revealed", 0): wrong,
        }
    )
    tree = await grow_tree(config_of(), QUESTION, told)
    assert shape(tree) == [("a", 0), ("b", 1), ("c", 1), ("d", 3), ("e", 3)]
    assert (tree.ends, tree.reasons) == ([2, 5], {4: "4 is not 5"})
    [said] = told.said("revealed")
    assert steps("a", "c", "d") in said
    assert "The right answer is: 10" in said


@pytest.mark.parametrize(("named", "parent"), [(1, 0), (2, 1), (3, 3)])
async def test_the_right_solution_goes_on_from_the_step_before_the_wrong_one(
    config_of: ConfigOf, named: int, parent: int
) -> None:
    told = Told(
        {
            ("attempt", 0): steps("a", "b") + "\nAnswer: 10",
            ("hidden", 0): steps("c", "d") + "\nAnswer: 11",
            ("revealed", 0): f"Wrong: step {named}: no\n{steps('e')}\nAnswer: 10",
        }
    )
    tree = await grow_tree(config_of(), QUESTION, told)
    assert shape(tree)[-1] == ("e", parent)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (f"{steps('e')}\nAnswer: 10", "revealed: does not say which step is wrong"),
        (f"Wrong: step 9: no\n{steps('e')}\nAnswer: 10", "revealed: says that step 9 of 3 is wrong"),
        (f"Wrong: step 0: no\n{steps('e')}\nAnswer: 10", "revealed: says that step 0 of 3 is wrong"),
        ("Wrong: step 1: no\nAnswer: 10", "revealed: there is no step"),
    ],
)
async def test_a_revealed_completion_that_has_no_place_is_dropped(
    config_of: ConfigOf, said: str, problem: str
) -> None:
    told = Told(
        {
            ("attempt", 0): steps("a", "b") + "\nAnswer: 10",
            ("hidden", 0): steps("c", "d") + "\nAnswer: 11",
            ("revealed", 0): said,
        }
    )
    tree = await grow_tree(config_of(), QUESTION, told)
    assert shape(tree) == [("a", 0), ("b", 1), ("c", 1), ("d", 3)]
    assert (tree.dropped, tree.reasons) == ([problem], {})


async def test_what_was_cut_off_is_neither_right_nor_wrong(config_of: ConfigOf) -> None:
    told = Told({("attempt", 0): steps("a", "b", "c"), ("hidden", 0): steps("d", "e")}, cut_off=True)
    tree = await grow_tree(config_of(), QUESTION, told)
    # The last step of either may go on behind the cut; of the attempt a and b are left, and a is kept.
    assert shape(tree) == [("a", 0), ("b", 1), ("d", 1)]
    assert (tree.ends, tree.unfinished) == ([], [2, 3])
    assert [call.kind for call in told.calls] == ["attempt", "hidden"]


async def test_refused_and_unreadable_texts_are_dropped_with_the_reason(config_of: ConfigOf) -> None:
    told = Told(
        {
            ("attempt", 0): steps("a", "b") + "\nAnswer: 10",
            ("attempt", 1): RefusedError("status 400: filtered"),
            ("attempt", 2): "It is 10.",
            ("hidden", 0): RefusedError("status 400: filtered"),
        }
    )
    tree = await grow_tree(config_of(completions={"attempts": 3, "truncations": 1}), QUESTION, told)
    assert shape(tree) == [("a", 0), ("b", 1)]
    assert tree.dropped == [
        "hidden: refused: status 400: filtered",
        "attempt: refused: status 400: filtered",
        "attempt: there is no step",
    ]


async def test_calls_are_numbered_apart_and_cut_at_random(config_of: ConfigOf) -> None:
    attempt = steps(*"abcdefgh") + "\nAnswer: 10"
    replies: dict[tuple[CallKind, int], str | Exception] = {("attempt", n): attempt for n in range(2)}
    replies |= {("hidden", n): steps("z") + "\nAnswer: 10" for n in range(10)}
    completions = {"attempts": 2, "truncations": 5}
    told = Told(replies)
    tree = await grow_tree(config_of(completions=completions), QUESTION, told)
    numbers = [call.number for call in told.calls if call.kind == "hidden"]
    assert sorted(numbers) == list(range(10))
    assert len({parent for text, parent in shape(tree) if text == "z"}) > 2
    again, other = Told(replies), Told(replies)
    assert await grow_tree(config_of(completions=completions), QUESTION, again) == tree
    assert again.calls == told.calls
    assert await grow_tree(config_of(completions=completions, seed=2), QUESTION, other) != tree


async def test_an_attempt_of_one_step_has_nothing_to_cut(config_of: ConfigOf) -> None:
    told = Told({("attempt", 0): steps("a") + "\nAnswer: 11"})
    tree = await grow_tree(config_of(), QUESTION, told)
    assert (shape(tree), tree.ends) == ([("a", 0)], [])
    assert len(told.calls) == 1


async def test_the_end_of_the_run_is_raised_when_all_is_over(config_of: ConfigOf) -> None:
    told = Told(
        {
            ("attempt", 0): TeachError("no credit"),
            ("attempt", 1): steps("a", "b") + "\nAnswer: 11",
            ("hidden", 1): steps("c") + "\nAnswer: 10",
        }
    )
    with pytest.raises(TeachError, match="no credit"):
        await grow_tree(config_of(completions={"attempts": 2, "truncations": 1}), QUESTION, told)
    assert [call.kind for call in told.calls] == ["attempt", "attempt", "hidden"]


async def test_own_words_and_further_fields_of_a_question(config_of: ConfigOf) -> None:
    prompts = {
        "system": "",
        "attempt": "{question} In {unit}.",
        "hidden": "{steps} then? Last: {last_step}",
        "revealed": "{answer} {unit}",
    }
    told = Told(
        {
            ("attempt", 0): steps("a", "b") + "\nAnswer: 10",
            ("hidden", 0): steps("c") + "\nAnswer: 11",
            ("revealed", 0): "Wrong: step 1: no\n" + steps("e") + "\nAnswer: 10",
        }
    )
    question = Question("q1", "What is {x}?", "10", {"unit": "m"})
    await grow_tree(config_of(prompts=prompts), question, told)
    assert [call.messages for call in told.calls] == [
        [{"role": "user", "content": text}]
        for text in ("What is {x}? In m.", f"{steps('a')} then? Last: a", "10 m")
    ]


def test_a_text_is_cut_behind_steps_that_stand() -> None:
    assert cut_points(read_content(steps("a", "b", "c") + "\nAnswer: 1", cut_off=False)) == [1, 2]
    sections = [
        {"role": role, "name": role, "text": role, "num_tokens": 1}
        for role in ("understanding", "next_step", "verification", "summary")
    ]
    typed = [
        {"id": number, "depth": 1, "parent": 0, "verdict": verdict, "sections": sections}
        for number, verdict in enumerate(("refuted", "verified", "refuted", "verified"), 1)
    ]
    assert cut_points(read_reasoning_steps(typed, "1", cut_off=False)) == [2]
