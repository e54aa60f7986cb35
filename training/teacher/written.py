"""What the teacher sent back, read as steps."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from steiner.reasoning.steps import Step
from steiner.training.problems.base import SectionTexts
from steiner.training.teacher.markers import marker_in
from steiner.training.teacher.prompts import LABELS


class UnreadableError(Exception):
    """The text is not in the form that was asked for; the message says where."""


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """One step.

    Attributes:
        parent: number of the step that it continues, 1 for the first of this text; 0 for where the text begins.
        refuted: the teacher itself says that it is wrong.
    """

    sections: SectionTexts
    parent: int
    refuted: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A whole text.

    Attributes:
        end: number of the step that the answer follows from, 0 where the text was cut off.
        answer: empty where the text was cut off.
        wrong_step: number of the earlier step that is said to be wrong; None if nothing is said.
    """

    steps: tuple[WrittenStep, ...]
    end: int
    answer: str
    wrong_step: int | None = None
    reason: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether it came to an answer, right or wrong."""
        return self.end > 0


_MARK = r"[*_#>\s]*"
_STEP = re.compile(rf"^{_MARK}step\s+(\d+){_MARK}[:.]?{_MARK}$", re.I)
_ANSWER = re.compile(rf"^{_MARK}(?:final\s+)?answer{_MARK}:{_MARK}(.*)$", re.I)
_WRONG = re.compile(rf"^{_MARK}wrong{_MARK}:{_MARK}step\s+(\d+){_MARK}[:,.-]?\s*(.*)$", re.I)
_PART = re.compile(
    rf"^{_MARK}({'|'.join(label.replace(' ', r'[ _-]') for label in LABELS.values())}){_MARK}:{_MARK}(.*)$",
    re.I,
)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.S)
"""Of a teacher whose server leaves its thoughts in the content."""
_NAMES = {label.casefold(): name for name, label in LABELS.items()}


def read_content(text: str, cut_off: bool) -> Written:
    """Read the form of the prompts; Markdown's emphasis around labels is allowed.

    Args:
        cut_off: the teacher was stopped by its token limit; then a last step that is not whole is left out.

    Raises:
        UnreadableError: there is no step, one lacks a section, or a text that was not cut off has no answer.
    """
    drafts: list[dict[str, list[str]]] = []
    answer: list[str] | None = None
    wrong: tuple[int, str] | None = None
    lines: list[str] = []
    for line in _THOUGHT.sub("", text).splitlines():
        if answer is not None:
            answer.append(line)
        elif found := _ANSWER.match(line):
            answer = [found[1]]
        elif _STEP.match(line):
            drafts.append({})
            lines = []
        elif not drafts and (found := _WRONG.match(line)):
            wrong = (int(found[1]), _clean([found[2]]))
        elif drafts and (found := _PART.match(line)):
            name = _NAMES[re.sub("[_-]", " ", found[1]).casefold()]
            lines = drafts[-1].setdefault(name, [])
            lines.append(found[2])
        else:
            lines.append(line)
    if cut_off and answer is None and drafts:
        # The last section may go on behind the cut.
        drafts.pop()
    steps = tuple(WrittenStep(_sections(draft, number), number - 1) for number, draft in enumerate(drafts, 1))
    if cut_off:
        if not steps:
            raise UnreadableError("it was cut off before the first step was whole")
        return Written(steps, 0, "", *(wrong or (None, "")))
    # What stands below the answer's paragraph is said to the reader.
    answer_text = _clean(answer or []).split("\n\n")[0].strip()
    if not (steps and answer_text):
        raise UnreadableError("there is no step" if not steps else "the line with the answer is missing")
    return Written(steps, len(steps), answer_text, *(wrong or (None, "")))


def read_reasoning_steps(steps: Any, answer: str, cut_off: bool) -> Written:
    """Read the typed steps of a Steiner server; a step without a known parent, or not whole, ends the reading there.

    Args:
        cut_off: the server was stopped by a token limit, in the answer if not before.

    Raises:
        UnreadableError: there are none.
    """
    if not steps:
        raise UnreadableError("the message has no reasoning_steps; is the teacher a Steiner server?")
    try:
        typed = [Step.model_validate(step) for step in steps]
    except ValidationError as error:
        raise UnreadableError(f"reasoning_steps: {error.errors()[0]['msg']}") from error
    read: list[WrittenStep] = []
    for number, step in enumerate(typed, 1):
        texts = {name: step.text_of(name).strip() for name in LABELS}
        is_placed = step.parent is not None and 0 <= step.parent < number
        if step.interrupted or not is_placed or not all(texts.values()):
            break
        sections = _without_markers(SectionTexts(**texts), number)
        read.append(WrittenStep(sections, step.parent or 0, step.verdict == "refuted"))
    if not read:
        raise UnreadableError("no step has all sections")
    whole = len(read) == len(typed) and not read[-1].refuted and not cut_off
    return Written(tuple(read), len(read) if whole else 0, answer.strip() if whole else "")


def _sections(draft: dict[str, list[str]], number: int) -> SectionTexts:
    texts = {name: _clean(draft.get(name, [])) for name in LABELS}
    if missing := [label for name, label in LABELS.items() if not texts[name]]:
        raise UnreadableError(f"the {number}. step has no {', '.join(missing)}")
    return _without_markers(SectionTexts(**texts), number)


def _without_markers(sections: SectionTexts, number: int) -> SectionTexts:
    for name in LABELS:
        if marker := marker_in(getattr(sections, name)):
            raise UnreadableError(f"the {number}. step spells the marker {marker}")
    return sections


def _clean(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip().strip("*_").strip()
