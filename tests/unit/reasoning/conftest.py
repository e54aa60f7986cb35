"""Sequences in the short spelling of `ids_of`, advanced through an automaton or fed to a parser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol

Ids = Callable[[str], list[int]]

UNDERSTANDING = "<step_understanding_start>left 15<step_understanding_end>"
NEXT_STEP = "<step_next_step_start>make 22<step_next_step_end>"
SUMMARY = "<step_summary_start>left 7<step_summary_end>"


def verification(verdict: str) -> str:
    return f"<step_verification_start>left<{verdict}><step_verification_end>"


@dataclass(frozen=True)
class Spelling:
    """Steps as text, and their parts by name."""

    ids_of: Ids

    understanding = UNDERSTANDING
    next_step = NEXT_STEP
    summary = SUMMARY

    def step(self, verdict: str = "verified") -> str:
        return f"<step_start>{UNDERSTANDING}{NEXT_STEP}{verification(verdict)}{SUMMARY}<step_end>"

    def path(self, *decisions: str) -> str:
        """The start of reasoning and a step in front of each decision; backtracks follow refuted steps."""
        steps = (
            f"{self.step('refuted' if decision.startswith('<backtrack>') else 'verified')}{decision}"
            for decision in decisions
        )
        return f"<start>{''.join(steps)}"

    def state(self, automaton: Automaton, text: str, start: State | None = None) -> State:
        """The state behind a legal text."""
        state = automaton.initial if start is None else start
        for token_id in self.ids_of(text):
            state = automaton.advance(state, token_id)
        return state


@pytest.fixture(scope="session")
def spelling(ids_of: Ids) -> Spelling:
    return Spelling(ids_of)


@pytest.fixture
def automaton(bound: BoundProtocol) -> Callable[..., Automaton]:
    """An automaton under the limits that are given."""
    return lambda **limits: Automaton(bound, Policy(**limits))


@pytest.fixture
def parser(bound: BoundProtocol, tokenizer: PreTrainedTokenizerFast) -> Parser:
    return Parser(bound, section_texts(tokenizer.backend_tokenizer))
