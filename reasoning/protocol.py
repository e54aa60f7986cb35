"""Which special tokens a model reasons with, as data, and the same resolved to ids by a tokenizer.

A chat template may have written the start of reasoning itself, or an empty reasoning. `opening_of` finds where a
completion begins.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from typing import Protocol as Interface

from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.text_markers import FIRST_ID, LINE, BytesOf, TextMarkers

SectionRole = Literal["understanding", "next_step", "verification", "summary", "thought"]
"""What a section is for; "thought" is reasoning that its protocol gives no type."""
Verdict = Literal["verified", "refuted"]
"""What a model says of a step."""
MAX_DEPTH = 64
"""Deepest live path whose depth can be named in a backtrack."""

Opening = Literal["before", "reasoning", "answer"]
"""Before the start of reasoning, right after it, or after its end."""


class TokenizerLike(Interface):
    """What binding needs of a tokenizer; every Hugging Face tokenizer has it."""

    @property
    def all_special_ids(self) -> list[int]: ...

    @property
    def added_tokens_decoder(self) -> dict[int, Any]: ...

    @property
    def eos_token(self) -> Any: ...

    def get_vocab(self) -> dict[str, int]: ...

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> Any: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class SectionMarkers:
    """One section of a step: its name on the wire, the role it plays, and the tokens around its text.

    A section without markers is all that its step holds, and begins and ends with it.
    """

    name: str
    role: SectionRole
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """The markers of a model. Those that it does not have are None.

    Attributes:
        sections: in the order in which a step has them.
        proceed: token that decides for another step; None if no step can follow another.
        backtrack: token that decides to go back; None if the model cannot.
        step_start: token before each step; None if all of the reasoning is one step.
        step_end: token after each step; None together with `step_start`.
        verified: token that ends the text of the verification section; None if the protocol has no verdicts.
        refuted: its opposite.
        names_depth: whether a backtrack names the depth on the live path to return to.
        end_of_turn: what ends the answer; None for the tokenizer's own end of sequence.
        effort_tokens: `max_reasoning_tokens` of each `reasoning_effort` that has one here, for a model without steps to
            limit.
        is_text: whether the markers are ordinary text, which any vocabulary spells.
        native_frames: starts and ends of reasoning that a model of text markers may have as tokens of its own; the
            first pair that its vocabulary has takes the place of `reasoning_start` and `reasoning_end`.
        depth_end: text behind the depth that a backtrack names.
        marker_tokens: tokens of each marker in the tokenizer that the protocol is bound to; one where nothing is said.

    Raises:
        ValueError: the markers do not make a protocol.
    """

    name: str
    reasoning_start: str
    reasoning_end: str
    sections: tuple[SectionMarkers, ...]
    proceed: str | None = None
    backtrack: str | None = None
    step_start: str | None = None
    step_end: str | None = None
    verified: str | None = None
    refuted: str | None = None
    names_depth: bool = False
    end_of_turn: str | None = None
    effort_tokens: tuple[tuple[str, int], ...] = ()
    is_text: bool = False
    native_frames: tuple[tuple[str, str], ...] = ()
    depth_end: str = ""
    marker_tokens: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for fault, reason in self._faults():
            if fault:
                raise ValueError(f"protocol {self.name!r}: {reason}")

    def _faults(self) -> tuple[tuple[bool, str], ...]:
        judged = [section for section in self.sections if section.role == "verification" and section.end]
        without_frame = self.step_start is None
        return (
            (not self.sections, "a step needs a section"),
            ((self.step_start is None) != (self.step_end is None), "a step has both markers or neither"),
            (
                any((section.start is None) != (section.end is None) for section in self.sections),
                "a section has both markers or neither",
            ),
            (
                len(self.sections) > 1 and any(section.start is None for section in self.sections),
                "a section without markers must be the only one",
            ),
            (without_frame and self.has_decisions, "decisions stand between steps, which need markers"),
            ((self.verified is None) != (self.refuted is None), "verdicts come in pairs"),
            (self.has_verdicts and len(judged) != 1, "verdicts need one verification section with markers"),
            (self.names_depth and self.backtrack is None, "only a backtrack can name a depth"),
            (len(set(self.special_tokens)) != len(self.special_tokens), "each marker must be another token"),
        )

    @property
    def has_verdicts(self) -> bool:
        """Whether the model judges its steps by tokens."""
        return self.verified is not None

    @property
    def has_decisions(self) -> bool:
        """Whether a step can be followed by another."""
        return self.proceed is not None or self.backtrack is not None

    @property
    def has_limited_sections(self) -> bool:
        """Whether a section can end without the reasoning, so that its tokens can be limited."""
        return self.step_end is not None or self.sections[0].end is not None

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
        return tuple(token for token in (*frame, *around, self.verified, self.refuted) if token is not None)

    @property
    def shortest_step(self) -> int:
        """Tokens of the shortest legal step: its markers, one token of text for each section, and the verdict."""
        around = (token for section in self.sections for token in (section.start, section.end))
        markers = sum(map(self.tokens_of, (self.step_start, self.step_end, *around)))
        return markers + len(self.sections) + max(map(self.tokens_of, (self.verified, self.refuted)))

    def tokens_of(self, marker: str | None) -> int:
        """How many tokens a marker has; none if the protocol lacks it."""
        return 0 if marker is None else dict(self.marker_tokens).get(marker, 1)

    def missing_from(self, tokenizer: TokenizerLike) -> tuple[str, ...]:
        """Markers that the vocabulary lacks; of text markers, it can only lack the end of a turn."""
        vocabulary = tokenizer.get_vocab()
        end_of_turn = tokenizer.eos_token if self.end_of_turn is None else self.end_of_turn
        markers = () if self.is_text else self.special_tokens
        needed = (*markers, end_of_turn or "an end of sequence")
        return tuple(token for token in needed if token not in vocabulary)

    def bind(self, tokenizer: TokenizerLike, bytes_of: BytesOf | None = None) -> "BoundProtocol":
        """Resolve every marker by name.

        Args:
            bytes_of: what each token adds to a text; needed where the markers are text.

        Raises:
            MissingTokenError: the tokenizer's vocabulary lacks markers.
            UnspellableTextError: it cannot write a marker of text.
        """
        missing = self.missing_from(tokenizer)
        if missing:
            raise MissingTokenError(self.name, missing)
        vocabulary = tokenizer.get_vocab()
        # Qwen's tokenizers have more special tokens than those with a role.
        added = tokenizer.added_tokens_decoder
        special = set(tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}
        if not self.is_text:
            depth_ids = _depth_ids(tokenizer) if self.names_depth else ()
            return self._bound(vocabulary, tokenizer, special, depth_ids)
        if bytes_of is None:
            raise ValueError(f"protocol {self.name!r} needs to know the tokens' bytes")
        text = TextMarkers(lambda said: tokenizer.encode(said, add_special_tokens=False), bytes_of, special)
        protocol = self._framed(vocabulary)
        ids = protocol._text_ids(vocabulary, text)
        depths = range(MAX_DEPTH + 1 if self.names_depth else 0)
        depth_ids = tuple((text.add(f"{depth}{self.depth_end}", LINE),) for depth in depths)
        lengths = tuple((marker, len(text.spell(marker_id))) for marker, marker_id in ids.items())
        protocol = replace(protocol, marker_tokens=lengths)
        return protocol._bound({**vocabulary, **ids}, tokenizer, special, depth_ids, text)

    def _framed(self, vocabulary: dict[str, int]) -> "Protocol":
        """The protocol between the model's own tokens for thinking, if it has some."""
        for start, end in self.native_frames:
            if start in vocabulary and end in vocabulary:
                return replace(self, reasoning_start=start, reasoning_end=end)
        return self

    def _text_ids(self, vocabulary: dict[str, int], text: TextMarkers) -> dict[str, int]:
        """The ids of all markers; those of text are new."""
        frame = (self.reasoning_start, self.reasoning_end)
        native = {marker for pair in self.native_frames for marker in pair if marker in frame}
        inline = {section.start for section in self.sections} | {self.verified, self.refuted, self.backtrack}
        for marker in native:
            text.lay_out(vocabulary[marker], LINE)
        return {
            marker: vocabulary[marker]
            if marker in native
            else text.add(marker, "" if marker in inline else LINE)
            for marker in self.special_tokens
        }

    def _bound(
        self,
        ids: dict[str, int],
        tokenizer: TokenizerLike,
        special: set[int],
        depth_ids: tuple[tuple[int, ...], ...],
        text: TextMarkers | None = None,
    ) -> "BoundProtocol":
        def id_of(token: str | None) -> int | None:
            return None if token is None else ids[token]

        end_of_turn_id = ids[self.end_of_turn or tokenizer.eos_token]
        # A marker counts as one even if the tokenizer has it as an ordinary added token, as Qwen3's and R1's do.
        special_ids = frozenset(special | {ids[token] for token in self.special_tokens} | {end_of_turn_id})
        added = tokenizer.added_tokens_decoder
        tokens = (token_id for token_id in special_ids if token_id < FIRST_ID)
        return BoundProtocol(
            protocol=self,
            reasoning_start_id=ids[self.reasoning_start],
            reasoning_end_id=ids[self.reasoning_end],
            proceed_id=id_of(self.proceed),
            backtrack_id=id_of(self.backtrack),
            step_start_id=id_of(self.step_start),
            step_end_id=id_of(self.step_end),
            sections=tuple(
                BoundSection(section.name, section.role, id_of(section.start), id_of(section.end))
                for section in self.sections
            ),
            verified_id=id_of(self.verified),
            refuted_id=id_of(self.refuted),
            end_of_turn_id=end_of_turn_id,
            special_ids=special_ids,
            textual_ids=frozenset(i for i in tokens if i not in added or _is_textual(added[i])),
            depth_ids=depth_ids,
            vocab_size=len(tokenizer),
            text=text,
        )


@dataclass(frozen=True, slots=True)
class BoundSection:
    name: str
    role: SectionRole
    start_id: int | None
    end_id: int | None


@dataclass(frozen=True, slots=True)
class BoundProtocol:
    """A protocol in one tokenizer's ids; None for markers that it does not have.

    Attributes:
        special_ids: every special id of the tokenizer; none of them may be sampled as text.
        textual_ids: those of them that llguidance takes for the text that they are spelled as.
        depth_ids: ids that spell each depth from 0 to MAX_DEPTH, one or more for each; empty without depths.
        vocab_size: number of real tokens; logits beyond it are padding.
        text: the markers that are text, with ids above all tokens; None where every marker is a token.
    """

    protocol: Protocol
    reasoning_start_id: int
    reasoning_end_id: int
    proceed_id: int | None
    backtrack_id: int | None
    step_start_id: int | None
    step_end_id: int | None
    sections: tuple[BoundSection, ...]
    verified_id: int | None
    refuted_id: int | None
    end_of_turn_id: int
    special_ids: frozenset[int]
    textual_ids: frozenset[int]
    depth_ids: tuple[tuple[int, ...], ...]
    vocab_size: int
    text: TextMarkers | None = None

    @property
    def ends_in_text(self) -> bool:
        """Whether the end of reasoning is text, so that no token can be forced or stopped at for it."""
        return self.reasoning_end_id >= self.vocab_size

    def tokens_of(self, marker_ids: Iterable[int]) -> tuple[int, ...]:
        """The tokens with which a server writes these markers."""
        if self.text is None:
            return tuple(marker_ids)
        return tuple(token_id for marker_id in marker_ids for token_id in self.text.spell(marker_id))

    def num_tokens_of(self, marker_ids: Sequence[int]) -> int:
        """How many those are."""
        return len(marker_ids) if self.text is None else len(self.tokens_of(marker_ids))

    def verdict_of(self, token_id: int) -> Verdict | None:
        """The verdict that a token stands for; None for any other token."""
        if token_id == self.verified_id:
            return "verified"
        return "refuted" if token_id == self.refuted_id else None

    def id_of(self, verdict: Verdict) -> int | None:
        """The token that stands for a verdict; None where the protocol has no verdicts."""
        return self.verified_id if verdict == "verified" else self.refuted_id

    def depth_of(self, spelled: Sequence[int]) -> int | None:
        """The depth that these ids spell; None where they spell none."""
        ids = tuple(spelled)
        return self.depth_ids.index(ids) if ids in self.depth_ids else None

    def rests_of_depths(
        self, begun: Sequence[int], num_places: int = MAX_DEPTH + 1
    ) -> Iterator[tuple[int, ...]]:
        """What is missing of each depth below `num_places` whose spelling begins so; nothing if it is whole."""
        num_begun = len(begun)
        for ids in self.depth_ids[:num_places]:
            if ids[:num_begun] == tuple(begun):
                yield ids[num_begun:]


def _is_textual(added: Any) -> bool:
    """Whether llguidance reads an added token as text: it is not special, and is not spelled `<...>`."""
    return not (added.special or (added.content.startswith("<") and added.content.endswith(">")))


def _depth_ids(tokenizer: TokenizerLike) -> tuple[tuple[int, ...], ...]:
    spelled: list[Sequence[int]] = [
        tokenizer.encode(str(depth), add_special_tokens=False) for depth in range(MAX_DEPTH + 1)
    ]
    return tuple(tuple(ids) for ids in spelled)


def opening_of(bound: BoundProtocol, prompt_ids: Sequence[int]) -> Opening:
    """What the generation prompt, the part after the last end of a turn, leaves for the model to write.

    QwQ's and R1's end in `<think>` and a line feed, so the completion begins inside the reasoning. An empty
    `<think></think>`, which Qwen3's template writes with `enable_thinking=False`, leaves only the answer. Those tokens
    belong to the prompt. A caller's text cannot forge them if `prompt_ids` comes from a `PromptEncoder`.
    """
    for token_id in reversed(prompt_ids):
        if token_id == bound.reasoning_start_id:
            return "reasoning"
        if token_id == bound.reasoning_end_id:
            return "answer"
        if token_id == bound.end_of_turn_id:
            break
    return "before"
