"""The messages of the three kinds of call: a first attempt, and completions with the answer hidden and revealed."""

from collections.abc import Mapping, Sequence
from typing import Literal

from steiner.training.problems.base import SectionTexts
from steiner.training.teacher.config import Section, TeachError
from steiner.training.teacher.prompt_texts import Prompts, placeholders
from steiner.training.teacher.question import Question

CallKind = Literal["attempt", "hidden", "revealed"]
Messages = list[dict[str, str]]
LABELS: Mapping[Section, str] = {
    "understanding": "Understanding",
    "next_step": "Next step",
    "verification": "Check",
    "summary": "Summary",
}
"""What the sections are called between us and the teacher."""
OF_A_CALL = {"question", "answer", "steps", "next_number", "last_step"}


def attempt_messages(prompts: Prompts, question: Question) -> Messages:
    """A solution from nothing."""
    return _messages(prompts.system, prompts.attempt, _fields(question))


def hidden_messages(
    prompts: Prompts, question: Question, kept: Sequence[SectionTexts], section: Section
) -> Messages:
    """Go on from the kept steps.

    Args:
        section: of the last kept step, for {last_step}.
    """
    return _messages(prompts.system, prompts.hidden, _fields(question) | _kept(kept, len(kept), section))


def revealed_messages(
    prompts: Prompts, question: Question, written: Sequence[SectionTexts], num_kept: int, section: Section
) -> Messages:
    """Find what is wrong with the written steps, of which `num_kept` were kept, and do better."""
    fields = _fields(question) | _kept(written, num_kept, section) | {"answer": question.answer}
    return _messages(prompts.system, prompts.revealed, fields)


def numbered(steps: Sequence[SectionTexts]) -> str:
    """Steps in the form that the teacher writes."""
    return "\n\n".join(
        "\n".join([f"Step {number}", *(f"{label}: {getattr(step, name)}" for name, label in LABELS.items())])
        for number, step in enumerate(steps, 1)
    )


def check_prompts(prompts: Prompts, questions: Sequence[Question]) -> None:
    """See to it, before anything is paid for, that every placeholder has a value.

    Raises:
        TeachError: a question has no field of that name.
    """
    for kind in ("attempt", "hidden", "revealed"):
        wanted = placeholders(getattr(prompts, kind)) - OF_A_CALL
        for question in questions:
            if missing := sorted(wanted - set(question.fields)):
                raise TeachError(
                    f"prompts.{kind}: question {question.id!r} has no {', '.join(missing)}; "
                    f"it has {sorted(question.fields)}, and each prompt {sorted(OF_A_CALL)}."
                )


def _fields(question: Question) -> dict[str, str]:
    return dict(question.fields) | {"question": question.text}


def _kept(steps: Sequence[SectionTexts], num_kept: int, section: Section) -> dict[str, str]:
    return {
        "steps": numbered(steps),
        "next_number": str(num_kept + 1),
        "last_step": getattr(steps[num_kept - 1], section),
    }


def _messages(system: str, template: str, fields: Mapping[str, str]) -> Messages:
    told = [{"role": "system", "content": system}] if system else []
    return [*told, {"role": "user", "content": template.format_map(fields)}]
