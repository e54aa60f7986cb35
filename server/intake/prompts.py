"""Chat messages to prompt ids. Text that a caller controls can never become a special token.

The chat template is rendered with a placeholder for each text, also for texts inside tools and calls. So the result
shows which markers are the template's own and which text is a caller's. If encoding the whole yields exactly the
template's markers, the ids are those of ``tokenizer.apply_chat_template``. If it yields more, a text spells a marker.
Then markers become ids by name, and what lies between two of them is encoded as ordinary text.

Two consequences of the placeholders, both harmless for ChatML:
1. Whitespace around a text stays outside its placeholder, so templates that trim it still do.
2. A template that looks *into* a text (to cut out earlier thinking, say) finds nothing to cut.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from jinja2.exceptions import TemplateError

from steiner.server.intake.message_order import INSTRUCTING, arrangements
from steiner.server.intake.placeholders import LostText, Placeholders, hidden_in
from steiner.server.intake.tools.prompt import written_out

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Longer conversations are encoded in a thread. For shorter ones, the thread costs more than it saves.
CHARACTERS_ON_LOOP = 8192
TOOL_MARKERS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
"""Ordinary tokens in many tokenizers, with which a text could pass for a call or a tool's result."""
ONLY_AT_START, NOWHERE = '"prepend_scheme":"first"', '"prepend_scheme":"never"'
"""In the JSON of a tokenizer as SentencePiece's: where a space comes before a text."""
Tool = dict[str, Any]
"""As `tools` of `apply_chat_template`: ``{"type": "function", "function": {name, description, parameters}}``."""


class PromptError(Exception):
    """The messages do not fit the chat template; the message says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that an earlier turn made.

    Attributes:
        arguments: a JSON object, or the text that came instead of one.
    """

    id: str
    name: str
    arguments: dict[str, Any] | str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: plain text under a role.

    Attributes:
        calls: of tools, which an assistant's turn makes after its text.
        answers: the call whose result a tool's turn is.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    text: str
    calls: tuple[Call, ...] = ()
    answers: Call | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    """A token that templates spell out, and the white space that it swallows."""

    token_id: int
    strips_left: bool
    strips_right: bool


class PromptEncoder:
    """Encodes conversations for one tokenizer. `protected_ids` may come from the template only."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, protected_ids: Iterable[int]) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = tokenizer
        # Our own copies, because transformers flips a switch back and forth on the shared one.
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.encode_special_tokens = False
        spelled = tokenizer.backend_tokenizer.to_str()
        self._text_backend = Tokenizer.from_str(spelled)
        self._text_backend.encode_special_tokens = True
        self._inner_backend = Tokenizer.from_str(spelled.replace(ONLY_AT_START, NOWHERE))
        self._inner_backend.encode_special_tokens = True
        added = tokenizer.get_added_vocab()
        protected = frozenset(protected_ids) | frozenset(tokenizer.all_special_ids)
        protected |= {added[spelling] for spelling in TOOL_MARKERS if spelling in added}
        self._markers = {
            token.content: Marker(token_id, token.lstrip, token.rstrip)
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special or token_id in protected
        }
        self._marker_ids = frozenset(marker.token_id for marker in self._markers.values())
        spellings = sorted(self._markers, key=len, reverse=True)
        self._marker_pattern = re.compile("|".join(map(re.escape, spellings)) or "(?!)")

    @cached_property
    def tag_ids(self) -> dict[str, int]:
        """Tokens of the tags of calls, those that the vocabulary has whole."""
        added = self._tokenizer.get_added_vocab()
        return {tag: added[tag] for tag in TOOL_MARKERS if tag in added}

    async def encode(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> list[int]:
        """Ids of the conversation followed by the template's generation prompt.

        Raises:
            PromptError: the template refuses these turns.
        """
        if tools or sum(len(turn.text) for turn in turns) > CHARACTERS_ON_LOOP:
            return await asyncio.to_thread(self.encode_now, turns, tools)
        return self.encode_now(turns, tools)

    def encode_now(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> list[int]:
        """`encode` on the calling thread."""
        try:
            return self._encode_restored(self._parts(turns, tools))
        except PromptError:
            named = [_with_named_arguments(turn) for turn in turns]
            if named == list(turns):
                raise
            # The template writes the arguments one by one.
            return self._encode_restored(self._parts(named, tools))

    def _parts(self, turns: Sequence[Turn], tools: Sequence[Tool]) -> list[str]:
        texts = Placeholders()
        messages = [_message(turn, texts) for turn in turns]
        shown = [texts.hide_all(tool) for tool in tools]
        if not self._template_knows_tools:
            messages, shown = written_out(messages, shown), []
        return self._accepted(messages, shown, texts)

    def _accepted(self, messages: list[dict[str, Any]], tools: list[Tool], texts: Placeholders) -> list[str]:
        """Parts of the first arrangement that the template neither refuses nor cuts.

        Raises:
            PromptError: there is none; the error is that of the messages as they were given.
        """
        refused: PromptError | None = None
        cut: list[str] | None = None
        for arranged in arrangements(messages):
            try:
                rendered = self._render(arranged, tools)
                parts = texts.restore(rendered)
            except LostText:
                refused = refused or PromptError(
                    "the model's chat template rewrites texts of the messages or tools"
                )
            except PromptError as error:
                refused = refused or error
            else:
                if is_whole(rendered, arranged):
                    return parts
                # A template may have its reasons, so this is better than nothing.
                cut = cut or parts
        if cut is None:
            raise refused or PromptError("there are no messages")
        return cut

    @cached_property
    def _template_knows_tools(self) -> bool:
        """Whether the template shows tools at all. A template is a program, so this is found by trying."""
        name = "probe_of_tools"
        probe = {"type": "function", "function": {"name": name, "description": "", "parameters": {}}}
        try:
            return name in self._render([{"role": "user", "content": "x"}], [probe])
        except PromptError:
            return False

    def _render(self, messages: list[dict[str, Any]], tools: list[Tool]) -> str:
        try:
            rendered = self._tokenizer.apply_chat_template(
                messages, tools=tools or None, tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError) as error:
            raise PromptError(f"the model's chat template refuses these messages: {error}") from error
        assert isinstance(rendered, str)
        return rendered

    def _encode_restored(self, parts: list[str]) -> list[int]:
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
                ids += self._encode_text(run.rstrip() if marker.strips_left else run, is_first=not ids)
                ids.append(marker.token_id)
                run, strip_next = "", marker.strips_right
            extend(part[position:])
        return ids + self._encode_text(run, is_first=not ids)

    def _encode_text(self, text: str, *, is_first: bool) -> list[int]:
        if not text:
            return []
        backend = self._text_backend if is_first else self._inner_backend
        ids: list[int] = backend.encode(text, add_special_tokens=False).ids
        if self._marker_ids.isdisjoint(ids):
            return ids
        # A checkpoint may have added its markers as ordinary tokens, which the tokenizer finds in any
        # text. If each spelling is cut in two, it finds none.
        ids, position = [], 0
        for match in self._marker_pattern.finditer(text):
            ids += backend.encode(text[position : match.start() + 1], add_special_tokens=False).ids
            backend, position = self._inner_backend, match.start() + 1
        ids += backend.encode(text[position:], add_special_tokens=False).ids
        if not self._marker_ids.isdisjoint(ids):
            raise PromptError("the text cannot be encoded without making special tokens of it")
        return ids


def is_whole(rendered: str, messages: Sequence[dict[str, Any]]) -> bool:
    """Whether all that instructs and asks is in a rendered conversation; what assistants thought may be left out."""
    asked = (message["content"] for message in messages if message["role"] in (*INSTRUCTING, "user"))
    return set().union(*map(hidden_in, asked)) <= hidden_in(rendered)


def _message(turn: Turn, texts: Placeholders) -> dict[str, Any]:
    """A turn as templates expect it, with its texts hidden."""
    message: dict[str, Any] = {"role": turn.role, "content": texts.hide(turn.text)}
    if turn.calls:
        message["tool_calls"] = [
            {
                "type": "function",
                "id": texts.hide(call.id),
                "function": {"name": texts.hide(call.name), "arguments": _arguments(call, texts)},
            }
            for call in turn.calls
        ]
    if turn.answers is not None:
        message |= {"tool_call_id": texts.hide(turn.answers.id), "name": texts.hide(turn.answers.name)}
    return message


def _arguments(call: Call, texts: Placeholders) -> Any:
    if isinstance(call.arguments, str):
        return texts.hide_unquoted(call.arguments)
    return texts.hide_all(call.arguments)


def _with_named_arguments(turn: Turn) -> Turn:
    """The turn with an object instead of each call's text."""
    calls = (
        replace(call, arguments={"arguments": call.arguments}) if isinstance(call.arguments, str) else call
        for call in turn.calls
    )
    return replace(turn, calls=tuple(calls))
