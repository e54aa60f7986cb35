"""The teacher's text as steps: the form is read with its usual decorations, and anything else is refused."""

import pytest

from steiner.training.problems.base import SectionTexts
from steiner.training.teacher.prompts import numbered
from steiner.training.teacher.written import UnreadableError, read_content, read_reasoning_steps

STEPS = [SectionTexts("12 and 5 are given", "12 + 5 = 17", "17 - 5 is 12", "The sum is 17."),
         SectionTexts("17 is known", "17 * 2 = 34\nthat is all", "half of 34 is 17", "It is 34.")]  # fmt: skip


def test_what_we_send_we_read_back() -> None:
    written = read_content(f"{numbered(STEPS)}\n\nAnswer: 34", cut_off=False)
    assert [step.sections for step in written.steps] == STEPS
    assert [step.parent for step in written.steps] == [0, 1]
    assert (written.end, written.answer, written.wrong_step) == (2, "34", None)


def test_emphasis_and_headings_are_no_part_of_the_text() -> None:
    text = "Sure!\n### Step 3:\n**Understanding:** a\n- x\n**Next step**: b\n*Check:* c\nSummary: d\n\n**Answer: 7**"
    written = read_content(text, cut_off=False)
    [step] = written.steps
    assert step.sections == SectionTexts("a\n- x", "b", "c", "d")
    assert written.answer == "7"


def test_the_wrong_step_and_why() -> None:
    written = read_content(f"Wrong: step 2: 17 * 2 is not 35\n\n{numbered(STEPS)}\nAnswer: 34", cut_off=False)
    assert (written.wrong_step, written.reason) == (2, "17 * 2 is not 35")


def test_what_was_cut_off_keeps_its_whole_steps_and_has_no_answer() -> None:
    written = read_content(numbered(STEPS)[:-5], cut_off=True)
    assert [step.sections for step in written.steps] == STEPS[:1]
    assert (written.answer, written.is_finished) == ("", False)
    in_the_answer = read_content(f"{numbered(STEPS)}\nAnswer: 3", cut_off=True)
    assert [step.sections for step in in_the_answer.steps] == STEPS
    assert (in_the_answer.answer, in_the_answer.is_finished) == ("", False)


def test_what_was_cut_off_in_its_first_step_is_refused() -> None:
    with pytest.raises(UnreadableError, match="cut off before the first step was whole"):
        read_content("Step 1\nUnderstanding: let me see", cut_off=True)


def test_thoughts_in_the_content_and_words_below_the_answer_are_left_out() -> None:
    thought = (
        f"<think>\nStep 1\nUnderstanding: hm\n</think>\n{numbered(STEPS)}\n\n**Answer:** 34\n\nGlad to help!"
    )
    written = read_content(thought, cut_off=False)
    assert [step.sections for step in written.steps] == STEPS
    assert written.answer == "34"
    assert read_content(f"{numbered(STEPS)}\nAnswer:\n34\nand 35", cut_off=False).answer == "34\nand 35"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("34", "no step"),
        (numbered(STEPS), "line with the answer"),
        (f"{numbered(STEPS)}\nAnswer:", "line with the answer"),
        ("Step 1\nUnderstanding: a\nNext step: b\nAnswer: 3", "has no Check, Summary"),
        (f"{numbered(STEPS)}<|reasoning_step_end|>\nAnswer: 3", "spells the marker"),
        (f"{numbered(STEPS)}<|im_end|>\nAnswer: 3", "2. step spells the marker"),
    ],
)
def test_another_form_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_content(text, cut_off=False)


def typed(number: int, parent: int, verdict: str = "verified", **fields: object) -> dict[str, object]:
    sections = [
        {"role": role, "name": role, "text": f"{role} {number}", "num_tokens": 1}
        for role in ("understanding", "next_step", "verification", "summary")
    ]
    return {
        "id": number, "depth": 1, "parent": parent, "verdict": verdict, "sections": sections, **fields
    }  # fmt: skip


def test_typed_steps_are_a_tree() -> None:
    written = read_reasoning_steps([typed(1, 0, "refuted"), typed(2, 0), typed(3, 2)], "7", cut_off=False)
    assert [(step.parent, step.refuted) for step in written.steps] == [(0, True), (0, False), (2, False)]
    assert (written.end, written.answer) == (3, "7")


def test_an_interrupted_search_has_no_answer() -> None:
    written = read_reasoning_steps([typed(1, 0), typed(2, 1, interrupted=True)], "a guess", cut_off=False)
    assert (len(written.steps), written.end, written.answer) == (1, 0, "")
    with pytest.raises(UnreadableError, match="Steiner server"):
        read_reasoning_steps(None, "7", cut_off=False)


def test_a_search_cut_off_in_its_answer_has_none() -> None:
    written = read_reasoning_steps([typed(1, 0), typed(2, 1)], "7", cut_off=True)
    assert (len(written.steps), written.is_finished, written.answer) == (2, False, "")


@pytest.mark.parametrize("parent", [None, -1, 2, 3])
def test_a_step_that_continues_none_before_it_ends_the_reading(parent: int | None) -> None:
    steps = [typed(1, 0), typed(2, 1) | {"parent": parent}, typed(3, 1)]
    written = read_reasoning_steps(steps, "7", cut_off=False)
    assert (len(written.steps), written.is_finished) == (1, False)
