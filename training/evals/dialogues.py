"""Dialogues of two turns through a running server: does news in the second turn revise the conclusion of the first?

Each dialogue is held three times: with the first turn's answer and conclusions in the second prompt, with only the
answer, and as one fresh question that includes the news, which is the best that the first two can reach.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, product
from typing import Any

from steiner.reasoning.tasks.languages import Language, in_language
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_of_events import trace_of
from steiner.reasoning.verifiers.task import is_solvable
from steiner.training.data.dialogues import Dialogue, draw_dialogue
from steiner.training.evals.accuracy import Outcome, StreamingClient, answer_to
from steiner.training.evals.journal import AnswerJournal
from steiner.training.evals.score import Score, score
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import is_right

KINDS = {"countdown": ("now make", "now"), "routes": ("now to", "also"), "knights": ("now",)}
"""What a second message changes, by its first words: the target or a number, the goal or the roads, a claim."""


@dataclass(frozen=True, slots=True)
class HeldOutDialogue:
    """A dialogue whose two problems are in no training run."""

    family: str
    dialogue: Dialogue
    language: Language = "en"

    @property
    def first_prompt(self) -> str:
        return in_language(FAMILIES[self.family].prompt(self.dialogue.first), self.language)

    @property
    def revision(self) -> str:
        return in_language(self.dialogue.revision, self.language)

    @property
    def fresh_prompt(self) -> str:
        """Both turns as one question."""
        return in_language(FAMILIES[self.family].prompt(self.dialogue.revised), self.language)

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        first, second, *_ = self.dialogue.revision.split()
        return f"{first} {second}" if second in ("make", "to") else first

    def accepts_first(self, answer: str) -> bool:
        return accepts(self.family, self.dialogue.first, answer, self.language)

    def accepts(self, answer: str) -> bool:
        return accepts(self.family, self.dialogue.revised, answer, self.language)


def accepts(family: str, problem: Any, answer: str, language: Language) -> bool:
    """The exact checker. If nothing solves the problem, the answer has to say so, in the question's language."""
    rules = FAMILIES[family]
    return is_right(rules, problem, answer, language, solvable=is_solvable(rules, problem) is not False)


def held_out_dialogues(family: str, sizes: Sequence[int], count: int, seed: int) -> list[HeldOutDialogue]:
    """`count` dialogues, kinds of news and sizes in turn; the same for the same arguments."""
    rng = random.Random(f"{seed}/held-out-dialogues/{family}")
    wanted = cycle(product(sizes, KINDS[family]))
    drawn: list[HeldOutDialogue] = []
    while len(drawn) < count:
        size, kind = next(wanted)
        while True:
            one = HeldOutDialogue(family, draw_dialogue(FAMILIES[family], size, rng, held_out=True))
            # Drawn freely, nearly all would have the kinds of news that leave a problem on its side of the split.
            if one.kind == kind:
                break
        drawn.append(one)
    return drawn


@dataclass(frozen=True, slots=True)
class HeldDialogue:
    """What became of one dialogue.

    Attributes:
        changes: whether the right answer to the first question is wrong after the news.
        trace_tokens: tokens of the first turn's reasoning, which the second prompt leaves out.
    """

    kind: str
    changes: bool
    trace_tokens: int
    first: Outcome
    second: Outcome
    answer_alone: Outcome
    fresh: Outcome

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "HeldDialogue":
        """What `dataclasses.asdict` made of one."""
        outcomes = {name: Outcome(**value) for name, value in said.items() if isinstance(value, dict)}
        return cls(**(said | outcomes))


async def hold_all(
    client: StreamingClient,
    dialogues: Sequence[HeldOutDialogue],
    options: dict[str, Any],
    concurrency: int,
    on_done: Callable[[], None],
    journal: AnswerJournal | None = None,
) -> list[HeldDialogue]:
    """Hold the dialogues in order; `on_done` is called after each.

    Args:
        journal: keeps the dialogues that were held; they are not held again.
    """
    free = asyncio.Semaphore(concurrency)

    async def hold(one: HeldOutDialogue) -> HeldDialogue:
        key = ("dialogue", one.family, one.first_prompt, one.revision)
        if journal is not None and (known := journal.find(*key)) is not None:
            held = HeldDialogue.from_json(known)
        else:
            async with free:
                held = await _hold(client, one, options)
            if journal is not None:
                journal.add(asdict(held), *key)
        on_done()
        return held

    return list(await asyncio.gather(*map(hold, dialogues)))


async def _hold(client: StreamingClient, one: HeldOutDialogue, options: dict[str, Any]) -> HeldDialogue:
    def outcome() -> Outcome:
        return Outcome(one.family, one.dialogue.size, one.revision)

    first, second, answer_alone, fresh = outcome(), outcome(), outcome(), outcome()
    trace = trace_of(await answer_to(client, one.first_prompt, first, one.accepts_first, options))
    turns = _second_question(one, trace, with_steps=True)
    await answer_to(client, turns, second, one.accepts, options)
    turns = _second_question(one, trace, with_steps=False)
    await answer_to(client, turns, answer_alone, one.accepts, options)
    await answer_to(client, one.fresh_prompt, fresh, one.accepts, options)
    return HeldDialogue(
        one.kind, not one.accepts(trace.answer), first.reasoning_tokens, first, second, answer_alone, fresh
    )


def _second_question(one: HeldOutDialogue, trace: Trace, *, with_steps: bool) -> list[dict[str, Any]]:
    answered: dict[str, Any] = {"role": "assistant", "content": trace.answer}
    if with_steps:
        answered["reasoning_steps"] = [step.model_dump(mode="json") for step in trace.steps]
    return [
        {"role": "user", "content": one.first_prompt},
        answered,
        {"role": "user", "content": one.revision},
    ]


def dialogue_report(held: Sequence[HeldDialogue]) -> dict[str, Any]:
    """Scores of the second turn, by family and by what changes, and of its two rivals."""

    def of(outcomes: Sequence[Outcome]) -> dict[str, float]:
        measured: Score = score(outcomes)
        prompt_tokens = sum(outcome.prompt_tokens for outcome in outcomes) / len(outcomes)
        return measured.as_json() | {"mean_prompt_tokens": round(prompt_tokens, 1)}

    families = sorted({one.first.family for one in held})
    kinds = sorted({f"{one.first.family}: {one.kind}" for one in held})
    return {
        "first": of([one.first for one in held]),
        "second": of([one.second for one in held]),
        "families": {f: of([one.second for one in held if one.first.family == f]) for f in families},
        "kinds": {
            k: of([one.second for one in held if f"{one.first.family}: {one.kind}" == k]) for k in kinds
        },
        "answer_alone": of([one.answer_alone for one in held]),
        "fresh": of([one.fresh for one in held]),
        "answer_changes": round(sum(one.changes for one in held) / len(held), 4),
        "mean_trace_tokens": round(sum(one.trace_tokens for one in held) / len(held), 1),
    }
