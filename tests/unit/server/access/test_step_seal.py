"""Sealing is undone for the caller that it was done for, and for no one else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.steps import Backtrack, Section, Step
from steiner.server.access.step_seal import SealBroken, StepSeal

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
STEPS = st.builds(
    Step,
    id=st.integers(1, 99),
    depth=st.none() | st.integers(1, 9),
    parent=st.none() | st.integers(0, 98),
    sections=st.lists(
        st.builds(
            Section,
            role=st.sampled_from(["understanding", "next_step", "verification", "summary"]),
            name=TEXTS,
            text=TEXTS,
            num_tokens=st.integers(0, 99),
        ),
        max_size=4,
    ).map(tuple),
    verdict=st.sampled_from([None, "verified", "refuted"]),
    decision=st.none() | st.builds(Backtrack, to_depth=st.integers(0, 9)),
    interrupted=st.booleans(),
)
SEAL = StepSeal(["s" * 32])


@given(step=STEPS, caller=TEXTS)
def test_a_step_comes_back_as_it_was(step: Step, caller: str) -> None:
    sealed = SEAL.seal(step.model_dump(mode="json"), caller)
    assert SEAL.open(sealed, caller) == step
    assert SEAL.sealing_for(caller)(step.model_dump(mode="json")) == sealed
    with pytest.raises(SealBroken):
        SEAL.open(sealed, f"{caller}2")
    with pytest.raises(SealBroken):
        StepSeal(["o" * 32]).open(sealed, caller)


@given(text=st.text(max_size=80))
def test_no_other_text_is_a_seal(text: str) -> None:
    with pytest.raises(SealBroken):
        SEAL.open(text, "ann")


def test_nothing_of_the_step_can_be_read() -> None:
    section = Section(role="summary", name="summary", text="the hush-hush word", num_tokens=4)
    sealed = SEAL.seal(Step(id=1, depth=1, parent=0, sections=(section,)).model_dump(mode="json"), "ann")
    assert "hush" not in sealed


def test_processes_without_a_secret_have_secrets_of_their_own() -> None:
    step = Step(id=1, depth=1, parent=0)
    one, two = StepSeal(), StepSeal()
    sealed = one.seal(step.model_dump(mode="json"), "ann")
    assert one.open(sealed, "ann") == step
    with pytest.raises(SealBroken):
        two.open(sealed, "ann")
