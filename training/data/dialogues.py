"""Dialogues of two turns: the second message changes the problem, and the conclusion has to be revised.

The first turn leaves in the context what the server leaves there: the conclusions of its live path and its answer, as
ordinary text, and nothing else of the search.
"""

import random
from dataclasses import dataclass
from typing import Any

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.reasoning.tasks.languages import in_language
from steiner.training.config.recipe import Recipe, record_stream
from steiner.training.data.kinds import DialogueRecord
from steiner.training.problems import FAMILIES
from steiner.training.problems.base import Family
from steiner.training.problems.dag import build_dag
from steiner.training.problems.held_out import is_held_out
from steiner.training.traces.forward import sample_taught
from steiner.training.traces.render import trace_to_json
from steiner.training.traces.walk import TaughtTrace

UNSOLVABLE_SHARE = 0.25
"""Share of first problems without a solution: "not found" is the conclusion that news most often revises."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A problem, and what a second message makes of it.

    Attributes:
        revision: the second message.
        revised: the problem that results from both messages.
    """

    size: int
    first: Any
    revision: str
    revised: Any


def draw_dialogue(
    family: Family[Any, Any, Any], size: int, rng: random.Random, *, held_out: bool
) -> Dialogue:
    """Draw until both problems are held out, or neither is."""
    while True:
        first = family.generate(rng, size, rng.random() >= UNSOLVABLE_SHARE)
        if is_held_out(family.canonical(first)) != held_out:
            continue
        revision = family.draw_revision(first, rng)
        revised = family.revise(first, revision)
        if is_held_out(family.canonical(revised)) == held_out:
            return Dialogue(size, first, revision, revised)


def turn_text(trace: TaughtTrace) -> str:
    """An earlier assistant turn as the server puts it into a prompt."""
    return "\n".join([*trace.conclusions(), trace.answer])


def dialogue_record(recipe: Recipe, name: str, number: int) -> DialogueRecord:
    """A training dialogue of a family: the fields of a trace, with the earlier turns as `turns`."""
    family, data = FAMILIES[name], recipe.data[name]
    language = recipe.draw_language(record_stream(recipe, "dialogue language", name, number))
    rng = record_stream(recipe, "dialogue", name, number)
    dialogue = draw_dialogue(family, data.draw_size(rng), rng, held_out=False)
    folded = rng.random() < data.folded_share(dialogue.size)

    def search(problem: Any) -> TaughtTrace:
        dag = build_dag(family, problem)
        return sample_taught(recipe.style, family, problem, dag, rng, remembers=not folded)

    earlier, trace = search(dialogue.first), search(dialogue.revised)
    solvable = trace.answer != NOT_FOUND
    guess = family.direct_answer(dialogue.revised, rng) if solvable else trace.answer
    return {
        "id": f"{name}-dialogue-{number}",
        "family": name,
        "language": language,
        "size": dialogue.size,
        "turns": [
            in_language(family.prompt(dialogue.first), language),
            turn_text(earlier.told_in(language)),
        ],
        "prompt": in_language(dialogue.revision, language),
        "guess": in_language(guess, language),
        "folded": folded,
        **trace_to_json(trace.told_in(language)),
    }
