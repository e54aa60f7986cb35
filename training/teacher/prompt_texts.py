"""What the teacher is told: the words for a run that brings none, and the placeholders that its own may have."""

from string import Formatter
from typing import Self

from pydantic import model_validator

from steiner.training.config.files import Strict

#: A form whose parts are the sections of a step.
SYSTEM = """\
You solve problems in small steps that a reader can check one by one. Write every step in this form:

Step 1
Understanding: where the solution stands and what is left to do
Next step: the one thing that is done now
Check: whether it is right, and how one sees that
Summary: what is known now, in one sentence

Number the steps and write nothing between them. Close with one line:

Answer: the answer alone"""

ATTEMPT = "{question}"

HIDDEN = """\
{question}

The solution so far:

{steps}

Go on from there with step {next_number}, in the same form, up to the line with the answer. Do not repeat steps."""

REVEALED = """\
{question}

This solution came to a wrong answer:

{steps}

The right answer is: {answer}

Find the first step that is wrong. Begin with one line:

Wrong: step N: what is wrong with it

Then write the right solution from step N on, in the same form, up to the line with the answer. Write as one does who
found the mistake alone: never mention that the right answer was given."""


def placeholders(template: str) -> set[str]:
    """Names in braces.

    Raises:
        ValueError: a brace is open, or what stands between two is no name.
    """
    names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    if wrong := sorted(name for name in names if not name.isidentifier()):
        raise ValueError(f"{wrong} are no names; a brace that is no placeholder is written twice")
    return names


class Prompts(Strict):
    """Texts with placeholders; a brace that is none is written twice.

    Attributes:
        system: none is sent if empty.
        attempt: {question} and further fields of the record.
        hidden: also {steps}, {next_number} and {last_step} of the kept steps. The right answer must not stand in it.
        revealed: also {answer}; {steps} are all that were written, up to the wrong answer. A teacher that writes
            the form has to begin with the line that names the wrong step.
    """

    system: str = SYSTEM
    attempt: str = ATTEMPT
    hidden: str = HIDDEN
    revealed: str = REVEALED

    @model_validator(mode="after")
    def _answers_are_where_they_belong(self) -> Self:
        names = {name: placeholders(getattr(self, name)) for name in ("attempt", "hidden", "revealed")}
        for name in ("attempt", "hidden"):
            if "answer" in names[name]:
                raise ValueError(f"{name}: {{answer}} gives the right answer away")
        if "answer" not in names["revealed"]:
            raise ValueError("revealed: {answer} is missing, so that nothing is revealed")
        if early := sorted(names["attempt"] & {"steps", "next_number", "last_step"}):
            raise ValueError(f"attempt: {early} do not exist yet")
        return self
