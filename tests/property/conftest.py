"""Tokenizers that spell numbers differently, and random walks through the automaton that keep their own tree."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER

settings.register_profile("steiner", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("steiner")

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *STEINER.special_tokens]


def byte_tokenizer(num_words: int = 0) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Qwen's: numbers are spelled digit by digit. The words stand in the vocabulary only."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(f"w{number}" for number in range(num_words))]
    backend = Tokenizer(BPE({piece: token_id for token_id, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")


@dataclass(frozen=True)
class Spoken:
    """A tokenizer and the protocol in its ids."""

    tokenizer: PreTrainedTokenizerFast
    bound: BoundProtocol

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis prints: not the whole vocabulary."""
        printer.text(f"<{len(self.tokenizer)} tokens>")


@pytest.fixture(scope="session")
def words(tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol) -> Spoken:
    """The tiny model's: numbers are one token each."""
    return Spoken(tokenizer, bound)


@pytest.fixture(scope="session")
def digits() -> Spoken:
    """Numbers are spelled digit by digit."""
    tokenizer = byte_tokenizer()
    return Spoken(tokenizer, STEINER.bind(tokenizer))


@pytest.fixture(scope="session")
def many_digits() -> Spoken:
    """A vocabulary of Qwen's size, fifteen rows short of 151,680."""
    tokenizer = byte_tokenizer(151_665 - 256 - len(SPECIAL))
    assert len(tokenizer) == 151_665
    return Spoken(tokenizer, STEINER.bind(tokenizer))


@pytest.fixture(scope="session", params=["words", "digits"])
def spoken(request: pytest.FixtureRequest) -> Spoken:
    value: Spoken = request.getfixturevalue(request.param)
    return value


@dataclass
class OwnStep:
    """A step as the walk itself noted it, for comparison with what the parser reads."""

    id: int
    depth: int
    parent: int
    texts: list[list[int]] = field(default_factory=list)
    verdict: str | None = None
    decision: str | int | None = None
    num_tokens: int = 0


@dataclass
class Walk:
    """Tokens that the automaton allowed, the state in front of each, and the tree that they spell."""

    token_ids: list[int] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    steps: list[OwnStep] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)


Chooser = Callable[[State, Sequence[int]], int]


class Walker:
    """Walks from a state to the end of the turn.

    Text of a section or the answer is one candidate beside each marker, so that sections end. Verified steps and
    proceeding are preferred a little, or deep trees would be rare.
    """

    def __init__(self, automaton: Automaton, seed: int) -> None:
        self.automaton = automaton
        self.rng = random.Random(seed)
        bound = automaton.bound
        self.text_ids = [i for i in range(bound.vocab_size) if i not in bound.special_ids]
        self._weights = {bound.verified_id: 3, bound.proceed_id: 4, bound.reasoning_end_id: 1}

    def choose(self, state: State) -> int:
        """One legal token."""
        allowed = self.automaton.allowed(state)
        candidates = sorted(allowed.ids)
        if allowed.text:
            candidates.append(self.rng.choice(self.text_ids))
        weights = [self._weights.get(candidate, 2) for candidate in candidates]
        return self.rng.choices(candidates, weights)[0]

    def walk(self, start: State | None = None, most: int = 20_000) -> Walk:
        """Random legal tokens up to the end of the turn."""
        automaton, bound = self.automaton, self.automaton.bound
        state = automaton.initial if start is None else start
        walk, path, spelled, is_open = Walk(), [0], "", False
        while state.phase != "done":
            assert len(walk.token_ids) < most, "the walk does not end"
            token_id = self.choose(state)
            walk.token_ids.append(token_id)
            walk.states.append(state)
            if start is None:
                spelled, is_open = self._note(walk, path, state, token_id, spelled, is_open)
            state = automaton.advance(state, token_id)
        assert bound.end_of_turn_id == walk.token_ids[-1]
        return walk

    def _note(
        self, walk: Walk, path: list[int], state: State, token_id: int, spelled: str, is_open: bool
    ) -> tuple[str, bool]:
        """Keep the tree by markers alone, without the automaton's counters."""
        bound = self.automaton.bound
        is_text = token_id not in bound.special_ids
        if token_id == bound.step_start_id:
            if spelled:
                walk.steps[-1].decision = int(spelled)
                del path[int(spelled) + 1 :]
            walk.steps.append(OwnStep(len(walk.steps) + 1, len(path), path[-1]))
            path.append(len(walk.steps))
            spelled, is_open = "", True
        if is_open:
            walk.steps[-1].num_tokens += 1
        if token_id in {section.start_id for section in bound.sections}:
            walk.steps[-1].texts.append([])
        elif token_id in (bound.verified_id, bound.refuted_id):
            walk.steps[-1].verdict = "verified" if token_id == bound.verified_id else "refuted"
        elif token_id == bound.step_end_id:
            is_open = False
        elif token_id == bound.proceed_id:
            walk.steps[-1].decision = "proceed"
        elif token_id == bound.reasoning_end_id and walk.steps:
            walk.steps[-1].decision = "end"
        elif is_text and state.phase == "answer":
            walk.answer.append(token_id)
        elif is_text and is_open:
            walk.steps[-1].texts[-1].append(token_id)
        elif is_text:
            spelled += str(self.number_of(token_id))
        return spelled, is_open

    def number_of(self, token_id: int) -> int:
        """The number, or digit, of a token of a depth."""
        return next(d for d, ids in enumerate(self.automaton.bound.depth_ids) if ids == (token_id,))


@pytest.fixture(scope="session")
def walker() -> Callable[[Automaton, int], Walker]:
    return Walker
