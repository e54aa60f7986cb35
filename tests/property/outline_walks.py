"""Legal walks of protocol `outline` as text, cut into tokens in any way, and what they should be read as."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.protocols.outline import OUTLINE
from steiner.reasoning.protocols.think import THINK
from steiner.reasoning.text_markers import FIRST_ID
from steiner.server.engine.token_spelling import TokenSpelling

from .conftest import END_OF_TURN, OwnTree, Spoken, Walker

PIECES = [
    "a",
    "we try 15 + 7",
    "x < y",
    "<",
    "</",
    "<step",
    "日本",
    "🙂",
    "é",
    " ",
    "\n",
    "\n\n",
    ">",
    "<b>",
    "22",
    '"/>',
]
GAPS = ["", "\n", "\n\n", "\n  ", " "]
CORPUS = [
    "<reasoning>\n<step>\n<understanding>We have 15 and 7.</understanding>\n<next_step>We add them.</next_step>\n",
    "<verification>It is 22.<verdict>holds</verdict></verification>\n<summary>22</summary>\n</step>\n<proceed/>\n",
    '<verdict>fails</verdict></verification>\n</step>\n<backtrack to="0"/>\n<step>\n</reasoning>\nThe answer',
    "日本語のテキスト 🙂🙂 été x < y <b>bold</b>",
]


def outline_tokenizer(*, thinks: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level BPE with merges of its own; some go over the borders of tags."""
    backend = Tokenizer(BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=420, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    backend.train_from_iterator(CORPUS * 20, trainer)
    turns = ["<|endoftext|>", "<|im_start|>", END_OF_TURN]
    backend.add_tokens([AddedToken(token, special=True, normalized=False) for token in turns])
    if thinks:
        backend.add_tokens(
            [AddedToken(token, special=False, normalized=False) for token in THINK.special_tokens]
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END_OF_TURN)


@lru_cache(maxsize=2)
def outlined(*, thinks: bool = False) -> Spoken:
    """A tokenizer and the protocol in its ids."""
    tokenizer = outline_tokenizer(thinks=thinks)
    return Spoken(tokenizer, OUTLINE.bind(tokenizer, TokenSpelling(tokenizer, ()).bytes_of))


@dataclass
class Region:
    """Part of a text: a marker with the white space behind it, or text.

    Attributes:
        token_id: of a marker; None for text and for what comes in front of the reasoning.
        num_tokens: tokens whose first character lies in it.
    """

    text: str
    token_id: int | None = None
    num_tokens: int = 0


@dataclass
class Written:
    """A walk as text, region by region, and as tokens."""

    walk_ids: list[int]
    states: list[State]
    regions: list[Region]
    tree: OwnTree
    texts: list[str] = field(default_factory=list)
    answer: str = ""
    token_ids: list[int] = field(default_factory=list)


class Writer:
    """Writes walks and cuts them into tokens."""

    def __init__(self, spoken: Spoken, seed: int) -> None:
        self.rng = random.Random(seed)
        self.bound = spoken.bound
        assert self.bound.text is not None
        self.markers = self.bound.text
        ids = [i for i in range(self.bound.vocab_size) if i not in self.bound.special_ids]
        self.id_of = {self.markers.bytes_of(token_id): token_id for token_id in ids}
        self._longest = max(map(len, self.id_of))

    def walk(self, automaton: Automaton, start: State | None = None) -> Written:
        """A legal walk, with a section's tokens of text as one text."""
        walker = Walker(automaton, self.rng.randrange(2**32))
        walker.text_ids = [next(iter(self.id_of.values()))]
        walked = walker.walk(start)
        tree = OwnTree(self.bound)
        for token_id in walked.token_ids if start is None else ():
            if token_id < FIRST_ID or token_id in self.bound.special_ids:
                tree.note(token_id)
            else:
                tree._spelled += str(self.bound.depth_of([token_id]))
        return self.written(automaton, walked.token_ids, walked.states, tree)

    def written(
        self, automaton: Automaton, walk_ids: list[int], states: list[State], tree: OwnTree
    ) -> Written:
        written = Written(walk_ids, states, [Region("")], tree)
        for token_id, state in zip(walk_ids, states, strict=True):
            is_text = token_id < FIRST_ID and token_id not in self.bound.special_ids
            if not is_text:
                self._write_tag(written, token_id, state)
            elif written.regions[-1].token_id is not None or not written.regions[-1].text:
                written.regions.append(Region(self._some_text(automaton, state)))
                if state.phase == "answer":
                    written.answer = written.regions[-1].text
                else:
                    written.texts.append(written.regions[-1].text)
        written.token_ids = self.tokens(written.regions)
        return written

    def _write_tag(self, written: Written, token_id: int, state: State) -> None:
        tag = self.markers.tags.get(token_id, "")
        is_inline = state.phase in ("text", "depth") or token_id == self.bound.end_of_turn_id
        is_inline |= state.phase == "start" and not tag
        if not is_inline and written.regions[-1].token_id != self.bound.end_of_turn_id:
            written.regions[-1].text += self.rng.choice(GAPS)
        written.regions.append(Region(tag, token_id))
        if state.phase == "section":
            written.regions[-1].text += self.rng.choice(["", "", "\n"])

    def _some_text(self, automaton: Automaton, state: State) -> str:
        """A text that its section may have."""
        ends = (
            [] if state.phase == "answer" else [self.markers.tags[i] for i in automaton.ends_of_text(state)]
        )
        others = ["</understanding>", "</step>", "</reasoning>", "<verdict>holds</verdict>", "<proceed/>"]
        kept_out = [*ends, "<verdict>", "</verification>"] if "<verdict>holds</verdict>" in ends else ends
        while True:
            text = "".join(self.rng.choices([*PIECES, *PIECES, *others], k=self.rng.randrange(1, 8)))
            # What follows may not become an earlier end of the text together with it.
            has_own = any(one in text for one in kept_out)
            if text[0] not in "\r\n" and not has_own:
                return text

    def tokens(self, regions: Sequence[Region]) -> list[int]:
        """Any tokens that spell the regions, which count those that begin in them."""
        ids: list[int] = []
        text, starts = b"", list[int]()
        for index, region in enumerate(regions):
            if region.token_id is not None and not (self.markers.tags.get(region.token_id)):
                ids += self._cut(regions, text, starts)
                text, starts = b"", []
                ids.append(region.token_id)
                region.num_tokens += 1
            behind = index and regions[index - 1].token_id == self.bound.reasoning_end_id
            if behind:
                # The answer begins with a token of its own.
                ids += self._cut(regions, text, starts)
                text, starts = b"", []
            text += region.text.encode()
            starts += [index] * len(region.text.encode())
        return ids + self._cut(regions, text, starts)

    def _cut(self, regions: Sequence[Region], text: bytes, owners: Sequence[int]) -> list[int]:
        ids: list[int] = []
        at = 0
        while at < len(text):
            lengths = [n for n in range(1, self._longest + 1) if text[at : at + n] in self.id_of]
            length = self.rng.choice(lengths) if self.rng.random() < 0.7 else lengths[-1]
            if at + length > len(text):
                length = min(lengths)
            ids.append(self.id_of[text[at : at + length]])
            # A region's bytes are whole characters, so the owner of a byte is that of its character.
            regions[owners[at]].num_tokens += 1
            at += length
        return ids
