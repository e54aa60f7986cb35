"""Dialogues through a client: what the second question holds, and how the three ways of asking are told apart."""

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import pytest

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.steps import End
from steiner.training.evals.dialogues import (
    KINDS,
    HeldOutDialogue,
    dialogue_report,
    held_out_dialogues,
    hold_all,
)
from steiner.training.evals.journal import AnswerJournal
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import is_held_out

SOLVED = "left 26 4"


class Answering:
    """Answers the first question and fresh ones rightly; a second one only where the conclusions come along."""

    def __init__(self, dialogues: Sequence[HeldOutDialogue]) -> None:
        self.asked: list[Any] = []
        self._answers = {one.first_prompt: _answer(one, one.dialogue.first) for one in dialogues}
        self._answers |= {one.fresh_prompt: _answer(one, one.dialogue.revised) for one in dialogues}
        self._revised = {one.first_prompt: _answer(one, one.dialogue.revised) for one in dialogues}

    async def stream_async(
        self, prompt: str | Sequence[Mapping[str, Any]], **options: Any
    ) -> AsyncIterator[Event]:
        self.asked.append(prompt)
        if isinstance(prompt, str):
            answer = self._answers[prompt]
        elif "reasoning_steps" in prompt[1]:
            answer = self._revised[prompt[0]["content"]]
        else:
            answer = str(prompt[1]["content"])
        yield events.StepStarted(sequence_number=1, step=1, depth=1, parent=0)
        yield events.SectionStarted(sequence_number=2, step=1, role="summary", name="summary")
        yield events.SectionDone(sequence_number=3, step=1, role="summary", text=SOLVED, num_tokens=3)
        yield events.StepDone(
            sequence_number=4, step=1, verdict="verified", decision=End(), interrupted=False, num_tokens=9
        )
        yield events.AnswerDone(sequence_number=5, text=answer, num_tokens=5, finish_reason="stop")
        yield events.Usage(
            sequence_number=6,
            prompt_tokens=10 if isinstance(prompt, str) else 30,
            completion_tokens=48,
            reasoning_tokens=40,
            answer_tokens=5,
            forced_tokens=0,
        )
        yield events.Done(sequence_number=7, finish_reason="stop")


def _answer(one: HeldOutDialogue, problem: Any) -> str:
    import random

    from steiner.reasoning.errors import MalformedProblemError
    from steiner.reasoning.tasks.base import NOT_FOUND

    try:
        return FAMILIES[one.family].direct_answer(problem, random.Random(0))
    except MalformedProblemError:
        return NOT_FOUND


@pytest.mark.parametrize("name", list(FAMILIES))
def test_they_are_held_out_and_the_same_for_a_seed(name: str) -> None:
    family = FAMILIES[name]
    drawn = held_out_dialogues(name, (3, 4), 8, seed=1)
    assert drawn == held_out_dialogues(name, (3, 4), 8, seed=1)
    assert drawn != held_out_dialogues(name, (3, 4), 8, seed=2)
    assert [(one.dialogue.size, one.kind) for one in drawn] == list(
        islice(cycle(product((3, 4), KINDS[name])), 8)
    )
    for one in drawn:
        assert is_held_out(family.canonical(family.parse(one.first_prompt)))
        assert is_held_out(family.canonical(family.parse(one.fresh_prompt)))
        assert one.accepts(_answer(one, one.dialogue.revised))
        assert one.accepts_first(_answer(one, one.dialogue.first))
        assert not one.accepts("")


async def test_the_second_question_has_the_steps_or_the_answer_alone() -> None:
    dialogues = held_out_dialogues("countdown", (3,), 4, 1) + held_out_dialogues("routes", (3,), 4, 1)
    client = Answering(dialogues)
    held = await hold_all(client, dialogues, {}, 1, lambda: None)
    first, second, alone, fresh = client.asked[:4]
    assert (first, fresh) == (dialogues[0].first_prompt, dialogues[0].fresh_prompt)
    assert second[1]["reasoning_steps"][0]["sections"][0]["text"] == SOLVED
    assert "reasoning_steps" not in alone[1]
    assert second[2]["content"] == alone[2]["content"] == dialogues[0].dialogue.revision
    report = dialogue_report(held)
    assert report["first"]["accuracy"] == report["second"]["accuracy"] == report["fresh"]["accuracy"] == 1
    assert report["answer_alone"]["accuracy"] == round(1 - report["answer_changes"], 4) < 0.5
    assert set(report["families"]) == {"countdown", "routes"}
    assert sum(kind["num_problems"] for kind in report["kinds"].values()) == len(held)
    assert (report["second"]["mean_prompt_tokens"], report["mean_trace_tokens"]) == (30, 40)


class Dying(Answering):
    """One that is gone after so many questions."""

    num_answers = 6

    async def stream_async(
        self, prompt: str | Sequence[Mapping[str, Any]], **options: Any
    ) -> AsyncIterator[Event]:
        if len(self.asked) == self.num_answers:
            raise ConnectionError
        async for event in super().stream_async(prompt, **options):
            yield event


async def test_what_was_held_before_an_error_is_not_held_again(tmp_path: Path) -> None:
    dialogues = held_out_dialogues("routes", (3,), 3, 1)
    whole = await hold_all(Answering(dialogues), dialogues, {}, 1, lambda: None)
    path = tmp_path / "answers.jsonl"
    with pytest.raises(ConnectionError), AnswerJournal(path) as journal:
        await hold_all(Dying(dialogues), dialogues, {}, 1, lambda: None, journal)
    again = Answering(dialogues)
    with AnswerJournal(path) as journal:
        assert await hold_all(again, dialogues, {}, 1, lambda: None, journal) == whole
    assert [question for question in again.asked if question == dialogues[0].first_prompt] == []
    assert len(again.asked) == 2 * 4
