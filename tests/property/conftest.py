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
from steiner.reasoning.protocol import BoundProtocol, Protocol, SectionMarkers
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.protocols.think import THINK

settings.register_profile("steiner", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("steiner")

END_OF_TURN = "<|im_end|>"


def byte_tokenizer(
    protocol: Protocol, num_words: int = 0, end_of_turn: str = END_OF_TURN, eos: str | None = None
) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Qwen's: numbers are spelled digit by digit. The words stand in the vocabulary only.

    The markers of `think` are ordinary added tokens, as in the tokenizers of the models that use it.
    """
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(f"w{number}" for number in range(num_words))]
    backend = Tokenizer(BPE({piece: token_id for token_id, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    turns = ["<|endoftext|>", "<|im_start|>", end_of_turn]
    backend.add_tokens([AddedToken(token, special=True, normalized=False) for token in turns])
    backend.add_tokens(
        [
            AddedToken(token, special=protocol is not THINK, normalized=False)
            for token in protocol.special_tokens
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos or end_of_turn)


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


def spelled_in_bytes(protocol: Protocol, end_of_turn: str = END_OF_TURN) -> Spoken:
    tokenizer = byte_tokenizer(protocol, end_of_turn=end_of_turn)
    return Spoken(tokenizer, protocol.bind(tokenizer))


@pytest.fixture(scope="session")
def digits() -> Spoken:
    """Numbers are spelled digit by digit."""
    return spelled_in_bytes(STEINER)


@pytest.fixture(scope="session")
def turns() -> Spoken:
    """As Qwen's base models have it: the end of a turn is not the tokenizer's end of a sequence."""
    tokenizer = byte_tokenizer(STEINER, eos="<|endoftext|>")
    return Spoken(tokenizer, STEINER.bind(tokenizer))


@pytest.fixture(scope="session")
def preview() -> Spoken:
    """Backtracks to an unknown place, and no verdicts."""
    return spelled_in_bytes(STEINER_PREVIEW)


@pytest.fixture(scope="session")
def thinking() -> Spoken:
    """One step without markers, and an end of turn of the tokenizer's own."""
    return spelled_in_bytes(THINK, end_of_turn="<|end of sentence|>")


@pytest.fixture(scope="session", params=[STEINER, STEINER_PREVIEW, THINK], ids=lambda protocol: protocol.name)
def at_qwens_size(request: pytest.FixtureRequest) -> Spoken:
    """A vocabulary whose last markers stand where Qwen2.5's ends; logits have 151,680 rows."""
    protocol: Protocol = request.param
    tokenizer = byte_tokenizer(protocol, 151_665 - 256 - 3 - len(protocol.special_tokens))
    assert len(tokenizer) == 151_665
    return Spoken(tokenizer, protocol.bind(tokenizer))


@pytest.fixture(scope="session")
def framed() -> Spoken:
    """A protocol that only a test has: steps with markers, each of one section without, and no way back."""
    return spelled_in_bytes(
        Protocol(
            name="framed",
            reasoning_start="<plan>",
            reasoning_end="</plan>",
            step_start="<step>",
            step_end="</step>",
            proceed="<next>",
            sections=(SectionMarkers("item", "thought"),),
        )
    )


@pytest.fixture(scope="session")
def sectioned() -> Spoken:
    """Another: one step without markers, its sections with."""
    return spelled_in_bytes(
        Protocol(
            name="sectioned",
            reasoning_start="<work>",
            reasoning_end="</work>",
            sections=(
                SectionMarkers("draft", "thought", "<draft>", "</draft>"),
                SectionMarkers("check", "verification", "<check>", "</check>"),
            ),
        )
    )


@pytest.fixture(
    scope="session", params=["words", "digits", "turns", "preview", "thinking", "framed", "sectioned"]
)
def spoken(request: pytest.FixtureRequest) -> Spoken:
    """Every protocol, `steiner` three times, and two with other markers missing."""
    value: Spoken = request.getfixturevalue(request.param)
    return value


@pytest.fixture(scope="session", params=["words", "digits", "preview", "framed"])
def stepwise(request: pytest.FixtureRequest) -> Spoken:
    """The protocols that have steps to limit."""
    value: Spoken = request.getfixturevalue(request.param)
    return value


@pytest.fixture(scope="session", params=["digits", "turns", "preview", "thinking"])
def bytewise(request: pytest.FixtureRequest) -> Spoken:
    """Every protocol, in bytes."""
    value: Spoken = request.getfixturevalue(request.param)
    return value


@dataclass
class OwnStep:
    """A step as the walk itself noted it, for comparison with what the parser reads."""

    id: int
    depth: int | None
    parent: int | None
    texts: list[list[int]] = field(default_factory=list)
    verdict: str | None = None
    decision: str | int | None = None
    num_tokens: int = 0


class OwnTree:
    """Keeps the tree by markers alone, without the automaton's counters."""

    def __init__(self, bound: BoundProtocol) -> None:
        self.steps: list[OwnStep] = []
        self.answer: list[int] = []
        self._bound = bound
        self._path: list[int] | None = [0]
        self._tip: int | None = 0
        self._spelled = ""
        self._is_open = False
        self._is_ended = False
        self._starts = {section.start_id for section in bound.sections}

    def note(self, token_id: int) -> None:
        """One more token of a legal walk."""
        bound = self._bound
        is_text = token_id not in bound.special_ids
        if is_text and self._is_ended:
            self.answer.append(token_id)
            return
        opens = is_text or token_id in self._starts
        if token_id == bound.step_start_id or (opens and bound.step_start_id is None and not self._is_open):
            self._start_step()
        if self._is_open and token_id != bound.reasoning_end_id:
            self.steps[-1].num_tokens += 1
        if token_id in self._starts or (is_text and self._starts == {None} and not self.steps[-1].texts):
            self.steps[-1].texts.append([])
        if is_text and self._is_open:
            self.steps[-1].texts[-1].append(token_id)
        elif is_text:
            self._spelled += str(next(d for d, ids in enumerate(bound.depth_ids) if ids == (token_id,)))
        elif token_id in (bound.verified_id, bound.refuted_id):
            self.steps[-1].verdict = "verified" if token_id == bound.verified_id else "refuted"
        elif token_id == bound.step_end_id:
            self._is_open = False
        elif token_id == bound.proceed_id:
            self.steps[-1].decision = "proceed"
        elif token_id == bound.backtrack_id and not bound.depth_ids:
            self.steps[-1].decision = "backtrack"
            self._path = self._tip = None
        elif token_id == bound.reasoning_end_id:
            self._is_ended, self._is_open = True, False
            if self.steps:
                self.steps[-1].decision = "end"

    def _start_step(self) -> None:
        if self._spelled and self._path is not None:
            self.steps[-1].decision = int(self._spelled)
            del self._path[int(self._spelled) + 1 :]
            self._tip = self._path[-1]
        depth = None if self._path is None else len(self._path)
        self.steps.append(OwnStep(len(self.steps) + 1, depth, self._tip))
        self._tip = len(self.steps)
        if self._path is not None:
            self._path.append(self._tip)
        self._spelled, self._is_open = "", True


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
        walk, tree = Walk(), OwnTree(bound)
        while state.phase != "done":
            assert len(walk.token_ids) < most, "the walk does not end"
            token_id = self.choose(state)
            walk.token_ids.append(token_id)
            walk.states.append(state)
            if start is None:
                tree.note(token_id)
            state = automaton.advance(state, token_id)
        assert bound.end_of_turn_id == walk.token_ids[-1]
        walk.steps, walk.answer = tree.steps, tree.answer
        return walk


@pytest.fixture(scope="session")
def walker() -> Callable[[Automaton, int], Walker]:
    return Walker
