"""Chat messages to prompt ids. Text that a caller controls can never become a special token.

The chat template is rendered with an opaque placeholder for each text, so that a template's own markers
and a caller's text are told apart in the result. If encoding the whole yields exactly the template's
markers, those are the ids of ``tokenizer.apply_chat_template``. If it yields more, a text spells a marker:
then markers become ids by name, and what lies between two of them is encoded as ordinary text.

Two consequences of the placeholders, both harmless for ChatML:
1. Whitespace around a text stays outside its placeholder, so templates that trim it still do.
2. A template that looks *into* a text (to cut out earlier thinking, say) finds nothing to cut.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jinja2.exceptions import TemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PLACEHOLDER = re.compile("\ue9f0(\\d+)\ue9f1")
# Longer conversations are encoded in a thread: below this, the hop costs more than it saves.
CHARACTERS_ON_LOOP = 8192


class PromptError(Exception):
    """The messages do not fit the chat template; the message says why."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: plain text under a role."""

    role: Literal["system", "developer", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A token with a spelling of its own in templates, and the whitespace it swallows."""

    token_id: int
    strips_left: bool
    strips_right: bool


class PromptEncoder:
    """Encodes conversations for one tokenizer. `protected_ids` may come from the template only."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, protected_ids: Iterable[int]) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = tokenizer
        # Copies of our own: transformers flips a switch back and forth on the shared one.
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.encode_special_tokens = False
        self._text_backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._text_backend.encode_special_tokens = True
        protected = frozenset(protected_ids) | frozenset(tokenizer.all_special_ids)
        self._markers = {
            token.content: Marker(token_id, token.lstrip, token.rstrip)
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special or token_id in protected
        }
        self._marker_ids = frozenset(marker.token_id for marker in self._markers.values())
        spellings = sorted(self._markers, key=len, reverse=True)
        self._marker_pattern = re.compile("|".join(map(re.escape, spellings)) or "(?!)")

    async def encode(self, turns: Sequence[Turn]) -> list[int]:
        """Ids of the conversation followed by the template's generation prompt.

        Raises:
            PromptError: the template refuses these turns.
        """
        if sum(len(turn.text) for turn in turns) > CHARACTERS_ON_LOOP:
            return await asyncio.to_thread(self.encode_now, turns)
        return self.encode_now(turns)

    def encode_now(self, turns: Sequence[Turn]) -> list[int]:
        """`encode` on the calling thread."""
        texts: list[str] = []
        messages: list[dict[str, str]] = []
        for turn in turns:
            core = turn.text.strip()
            if core:
                left, right = turn.text.split(core, 1) if core != turn.text else ("", "")
                content = f"{left}\ue9f0{len(texts)}\ue9f1{right}"
                texts.append(core)
            else:
                content = turn.text
            messages.append({"role": turn.role, "content": content})
        return self._encode_rendered(self._render(messages), texts)

    def _render(self, messages: list[dict[str, str]]) -> str:
        try:
            rendered = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise PromptError(f"the model's chat template refuses these messages: {error}") from error
        assert isinstance(rendered, str)
        return rendered

    def _encode_rendered(self, rendered: str, texts: Sequence[str]) -> list[int]:
        # Odd parts are the numbers of placeholders, even ones the template's own words.
        parts = PLACEHOLDER.split(rendered)
        for index in range(1, len(parts), 2):
            parts[index] = texts[int(parts[index])]
        ids: list[int] = self._backend.encode("".join(parts), add_special_tokens=False).ids
        num_found = sum(token_id in self._marker_ids for token_id in ids)
        num_own = sum(len(self._marker_pattern.findall(part)) for part in parts[::2])
        return ids if num_found == num_own else self._encode_parts(parts)

    def _encode_parts(self, parts: Sequence[str]) -> list[int]:
        ids: list[int] = []
        run = ""
        strip_next = False

        def extend(text: str) -> None:
            nonlocal run, strip_next
            if strip_next:
                text = text.lstrip()
                strip_next = not text
            run += text

        for index, part in enumerate(parts):
            position = 0
            for match in self._marker_pattern.finditer(part) if index % 2 == 0 else ():
                extend(part[position : match.start()])
                position = match.end()
                marker = self._markers[match[0]]
                ids += self._encode_text(run.rstrip() if marker.strips_left else run)
                ids.append(marker.token_id)
                run, strip_next = "", marker.strips_right
            extend(part[position:])
        return ids + self._encode_text(run)

    def _encode_text(self, text: str) -> list[int]:
        if not text:
            return []
        ids: list[int] = self._text_backend.encode(text, add_special_tokens=False).ids
        if self._marker_ids.isdisjoint(ids):
            return ids
        # A checkpoint may have added its markers as ordinary tokens, which the tokenizer finds in any
        # text. Cut inside each spelling, it finds none.
        ids, position = [], 0
        for match in self._marker_pattern.finditer(text):
            ids += self._text_backend.encode(text[position : match.start() + 1], add_special_tokens=False).ids
            position = match.start() + 1
        ids += self._text_backend.encode(text[position:], add_special_tokens=False).ids
        if not self._marker_ids.isdisjoint(ids):
            raise PromptError("the text cannot be encoded without making special tokens of it")
        return ids
