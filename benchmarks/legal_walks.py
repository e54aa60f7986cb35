"""Long legal token sequences of a protocol, over a vocabulary of a real model's size."""

import random
from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton, Phase, State
from steiner.reasoning.protocol import BoundProtocol, Protocol

#: How often a verified step is followed by another try instead, where the policy leaves the choice.
BACKTRACKING = 0.35


@dataclass(frozen=True, slots=True)
class Walk:
    """A legal completion.

    Attributes:
        phases: of the automaton, in front of each token; text and what ends it are told apart.
        num_steps: steps in it.
    """

    token_ids: list[int]
    phases: list[Phase]
    num_steps: int


def word_tokenizer(protocol: Protocol, num_tokens: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Qwen's, numbers spelled digit by digit, filled up with words to `num_tokens`."""
    special = ["<|endoftext|>", "<|im_start|>", *protocol.special_tokens, protocol.end_of_turn]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġw{number}" for number in range(num_tokens - len(letters) - len(special))]
    backend = Tokenizer(BPE({piece: token_id for token_id, piece in enumerate([*letters, *words])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=protocol.end_of_turn)


def text_ids(bound: BoundProtocol) -> range:
    """Ids of words: they stand behind the bytes and in front of the special tokens."""
    return range(256, min(bound.special_ids))


def legal_walk(automaton: Automaton, section_tokens: int, seed: int) -> Walk:
    """A search that goes on for as many steps as the policy allows.

    Args:
        section_tokens: mean length of a section and of the answer; each has half to one and a half of it.
    """
    walker = _Walker(automaton, section_tokens, random.Random(seed))
    state, token_ids, phases = automaton.initial, [], []
    while state.phase != "done":
        token_id, phase = walker.choose(state)
        token_ids.append(token_id)
        phases.append(phase)
        state = automaton.advance(state, token_id)
    return Walk(token_ids, phases, state.num_steps)


class _Walker:
    def __init__(self, automaton: Automaton, section_tokens: int, rng: random.Random) -> None:
        self._automaton = automaton
        self._rng = rng
        self._text_ids = text_ids(automaton.bound)
        self._section_tokens = section_tokens
        self._length = 0

    def choose(self, state: State) -> tuple[int, Phase]:
        """One legal token, and what it is."""
        allowed = self._automaton.allowed(state)
        if allowed.text:
            if not state.num_text:
                self._length = self._rng.randint(self._section_tokens // 2, self._section_tokens * 3 // 2)
            if state.num_text < max(self._length, 1):
                return self._rng.choice(self._text_ids), state.phase
        phase: Phase = "section" if state.phase == "text" else state.phase
        return self._one_of(state, allowed.ids), phase

    def _one_of(self, state: State, ids: frozenset[int]) -> int:
        """What keeps the search going for long, else any."""
        bound, policy = self._automaton.bound, self._automaton.policy
        # The last step is verified: where the grammar does not count, it lets no refuted one end the reasoning.
        may_turn = state.num_backtracks < policy.max_backtracks and state.num_steps < policy.max_steps
        turns = may_turn and (state.depth >= policy.max_depth or self._rng.random() < BACKTRACKING)
        wanted = [bound.refuted_id, bound.backtrack_id] if turns else [bound.verified_id, bound.proceed_id]
        return next((i for i in wanted if i in ids), None) or self._rng.choice(
            sorted(ids - {bound.reasoning_end_id}) or sorted(ids)
        )
