"""Which special tokens a model reasons with, as data, and the same resolved to ids by a tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from typing import Protocol as Interface

from steiner.reasoning.errors import MissingTokenError

SectionRole = Literal["understanding", "next_step", "verification", "summary"]
MAX_DEPTH = 64
"""Deepest live path whose depth can be named in a backtrack."""


class TokenizerLike(Interface):
    """What binding needs of a tokenizer; every Hugging Face tokenizer has it."""

    @property
    def all_special_ids(self) -> list[int]: ...

    @property
    def added_tokens_decoder(self) -> dict[int, Any]: ...

    def get_vocab(self) -> dict[str, int]: ...

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> Any: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class SectionMarkers:
    """One section of a step: its name on the wire, the role it plays, and the tokens around its text."""

    name: str
    role: SectionRole
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """The markers of a model.

    Attributes:
        sections: in the order in which a step has them.
        verified: token that ends the text of the verification section; None where the protocol has no verdicts.
        refuted: its opposite.
        names_depth: whether a backtrack names the depth on the live path to return to.
        end_of_turn: what ends the answer.
    """

    name: str
    reasoning_start: str
    reasoning_end: str
    proceed: str
    backtrack: str
    step_start: str
    step_end: str
    sections: tuple[SectionMarkers, ...]
    verified: str | None
    refuted: str | None
    names_depth: bool
    end_of_turn: str

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """All markers in a fixed order, without the end of turn."""
        frame = (
            self.reasoning_start,
            self.reasoning_end,
            self.proceed,
            self.backtrack,
            self.step_start,
            self.step_end,
        )
        around = tuple(token for section in self.sections for token in (section.start, section.end))
        return (*frame, *around, *(token for token in (self.verified, self.refuted) if token is not None))

    def bind(self, tokenizer: TokenizerLike) -> "BoundProtocol":
        """Resolve every marker by name.

        Raises:
            MissingTokenError: the tokenizer's vocabulary lacks markers.
        """
        vocabulary = tokenizer.get_vocab()
        missing = tuple(
            token for token in (*self.special_tokens, self.end_of_turn) if token not in vocabulary
        )
        if missing:
            raise MissingTokenError(self.name, missing)
        markers = {vocabulary[token] for token in (*self.special_tokens, self.end_of_turn)}
        # Qwen's tokenizers know special tokens beyond those that have a role.
        special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        return BoundProtocol(
            protocol=self,
            reasoning_start_id=vocabulary[self.reasoning_start],
            reasoning_end_id=vocabulary[self.reasoning_end],
            proceed_id=vocabulary[self.proceed],
            backtrack_id=vocabulary[self.backtrack],
            step_start_id=vocabulary[self.step_start],
            step_end_id=vocabulary[self.step_end],
            sections=tuple(
                BoundSection(section.name, section.role, vocabulary[section.start], vocabulary[section.end])
                for section in self.sections
            ),
            verified_id=None if self.verified is None else vocabulary[self.verified],
            refuted_id=None if self.refuted is None else vocabulary[self.refuted],
            end_of_turn_id=vocabulary[self.end_of_turn],
            special_ids=frozenset(tokenizer.all_special_ids) | special | markers,
            depth_ids=_depth_ids(tokenizer) if self.names_depth else (),
            vocab_size=len(tokenizer),
        )


@dataclass(frozen=True, slots=True)
class BoundSection:
    name: str
    role: SectionRole
    start_id: int
    end_id: int


@dataclass(frozen=True, slots=True)
class BoundProtocol:
    """A protocol in one tokenizer's ids.

    Attributes:
        special_ids: every special id of the tokenizer; none of them may be sampled as text.
        depth_ids: ids that spell each depth from 0 to MAX_DEPTH, one or more an entry; empty without depths.
        vocab_size: rows that mean something; logits beyond it are padding.
    """

    protocol: Protocol
    reasoning_start_id: int
    reasoning_end_id: int
    proceed_id: int
    backtrack_id: int
    step_start_id: int
    step_end_id: int
    sections: tuple[BoundSection, ...]
    verified_id: int | None
    refuted_id: int | None
    end_of_turn_id: int
    special_ids: frozenset[int]
    depth_ids: tuple[tuple[int, ...], ...]
    vocab_size: int


def _depth_ids(tokenizer: TokenizerLike) -> tuple[tuple[int, ...], ...]:
    spelled: list[Sequence[int]] = [
        tokenizer.encode(str(depth), add_special_tokens=False) for depth in range(MAX_DEPTH + 1)
    ]
    return tuple(tuple(ids) for ids in spelled)
