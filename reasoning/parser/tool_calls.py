"""Calls of tools in the text of an answer, read as it comes.

The form is the one that Qwen2.5, Qwen3 and Hermes are trained on:

    <tool_call>
    {"name": NAME, "arguments": {...}}
    </tool_call>

Anything that does not begin in this form stays text.
"""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from steiner.reasoning.answer import ToolCall

OPENING = "<tool_call>"
CLOSING = "</tool_call>"
HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*"([A-Za-z0-9_-]{1,64})"\s*,\s*"arguments"\s*:\s*(?=\{)')
LONGEST_HEAD = 200
"""The longest head of a call, in characters. If it has not ended by then, it is not a call."""
_STRUCTURE = re.compile(r'["\\{}\[\]]')
_ENDING = re.compile(rf"\s*\}}\s*{CLOSING}")


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text of the answer that belongs to no call."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The name of a call is known; its arguments follow."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the open call's arguments."""

    text: str


@dataclass(frozen=True, slots=True)
class CallDone:
    """The open call is complete."""

    call: ToolCall


AnswerPiece = PlainText | CallStarted | CallArguments | CallDone


def new_call_id() -> str:
    """An id that no other call has."""
    return f"call_{uuid.uuid4().hex[:24]}"


class ToolCallReader:
    """Splits an answer into text and calls. The joined pieces are the same at any chunking.

    White space between text and a call, or between calls, belongs to neither. If the text ends inside a call, the call
    is never done: it has started, and its arguments so far have been emitted.

    Args:
        new_id: makes the ids of calls.
    """

    def __init__(self, new_id: Callable[[], str] = new_call_id) -> None:
        self._new_id = new_id
        self._waiting = ""
        self._call: CallStarted | None = None
        self._arguments: list[str] = []
        self._nesting = 0
        self._in_string = False
        self._escaped = False
        self._has_called = False

    def feed(self, text: str) -> list[AnswerPiece]:
        """Pieces that this text completes; what may still become part of a call is held back."""
        self._waiting += text
        pieces: list[AnswerPiece] = []
        while self._step(pieces):
            pass
        return pieces

    def flush(self, *, cut_off: bool) -> list[AnswerPiece]:
        """What was held back, now that the answer has ended.

        Args:
            cut_off: whether it ran out of tokens, so that the beginning of a call is not text.
        """
        held, self._waiting = self._waiting, ""
        if cut_off:
            held = held[: _num_free(held.partition(OPENING)[0])]
        if self._call is not None or not held or (self._has_called and not held.strip()):
            return []
        return [PlainText(held)]

    def _step(self, pieces: list[AnswerPiece]) -> bool:
        """Take what can be taken of the waiting text; returns whether more may follow at once."""
        if self._call is None:
            return self._take_text(pieces)
        if self._nesting or not self._arguments:
            return self._take_arguments(pieces)
        return self._take_ending(pieces)

    def _take_text(self, pieces: list[AnswerPiece]) -> bool:
        start = self._waiting.find(OPENING)
        if start < 0:
            self._say_text(pieces, self._waiting[: _num_free(self._waiting)])
            return False
        behind = self._waiting[start + len(OPENING) :]
        head = HEAD.match(behind)
        if head is None:
            if len(behind) < LONGEST_HEAD:
                self._say_text(pieces, self._waiting[:start].rstrip())
                return False
            self._say_text(pieces, self._waiting[: start + len(OPENING)])
            return True
        self._say_text(pieces, self._waiting[:start].rstrip())
        self._waiting = behind[head.end() :]
        self._has_called = True
        self._call = CallStarted(self._new_id(), head[1])
        self._arguments = []
        pieces.append(self._call)
        return True

    def _say_text(self, pieces: list[AnswerPiece], text: str) -> None:
        self._waiting = self._waiting[len(text) :]
        if text.strip() or (text and not self._has_called):
            pieces.append(PlainText(text))

    def _take_arguments(self, pieces: list[AnswerPiece]) -> bool:
        end = self._end_of_arguments(self._waiting)
        taken = self._waiting[:end]
        self._waiting = self._waiting[len(taken) :]
        if taken:
            self._arguments.append(taken)
            pieces.append(CallArguments(taken))
        return not self._nesting and bool(taken)

    def _end_of_arguments(self, text: str) -> int | None:
        """Where the arguments' object closes; None if it does not. Brackets and strings are followed."""
        position = 0
        while position < len(text):
            if self._escaped:
                self._escaped = False
                position += 1
                continue
            found = _STRUCTURE.search(text, position)
            if found is None:
                return None
            position = found.end()
            match found[0]:
                case "\\":
                    self._escaped = self._in_string
                case '"':
                    self._in_string = not self._in_string
                case "{" | "[" if not self._in_string:
                    self._nesting += 1
                case "}" | "]" if not self._in_string:
                    self._nesting -= 1
                    if not self._nesting:
                        return position
        return None

    def _take_ending(self, pieces: list[AnswerPiece]) -> bool:
        ending = _ENDING.match(self._waiting)
        if ending is None:
            return False
        assert self._call is not None
        self._waiting = self._waiting[ending.end() :]
        arguments = "".join(self._arguments)
        pieces.append(CallDone(ToolCall(id=self._call.id, name=self._call.name, arguments=arguments)))
        self._call = None
        return True


def call_text(name: str, arguments: object) -> str:
    """A call in the form that is read here."""
    return f'{OPENING}\n{{"name": "{name}", "arguments": {json.dumps(arguments, ensure_ascii=False)}}}\n{CLOSING}'


def _num_free(text: str) -> int:
    """How many characters surely belong to no call: all but final white space and the beginning of an opening."""
    for size in range(min(len(OPENING) - 1, len(text)), 0, -1):
        if text.endswith(OPENING[:size]):
            text = text[:-size]
            break
    return len(text.rstrip())
