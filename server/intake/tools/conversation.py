"""Calls and their results in the messages of a request: which answers which, and what enters the prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from steiner.reasoning.trace import Trace
from steiner.server.errors import InvalidRequest
from steiner.server.intake.json_schema.document import MAX_NESTING
from steiner.server.intake.messages import Message
from steiner.server.intake.prompts import Call, Tool, Turn
from steiner.server.intake.tools.schemas import FunctionTool


def calls_of(messages: Sequence[Message]) -> list[tuple[Call, ...]]:
    """The calls that each message makes; for a tool message, the one that it answers.

    A call whose arguments are not a JSON object was cut off. Nobody can run it, so it may stay without an answer.

    Raises:
        InvalidRequest: a tool message answers no earlier call, a call is left without an answer, or arguments are not
            valid Unicode.
    """
    made: list[tuple[Call, ...]] = []
    waiting: dict[str, Call] = {}
    whole: set[str] = set()
    for index, message in enumerate(messages):
        if message.role == "tool":
            call = waiting.pop(message.tool_call_id or "", None)
            if call is None:
                raise _invalid(
                    f"messages.{index} has role 'tool' and tool_call_id {message.tool_call_id!r}, which is no "
                    "unanswered call of the assistant message before it; send that message with its tool_calls",
                    f"messages.{index}.tool_call_id",
                )
            made.append((call,))
            continue
        _require_answers(waiting, whole, index)
        given = message.tool_calls or ()
        calls = tuple(
            Call(one.id, one.function.name, _arguments(one.function.arguments, index, number))
            for number, one in enumerate(given)
        )
        waiting = {call.id: call for call in calls}
        whole = {one.id for one in given if read_arguments(one.function.arguments) is not None}
        if len(waiting) < len(calls):
            raise _invalid(
                f"messages.{index} has two calls of one id; each needs its own",
                f"messages.{index}.tool_calls",
            )
        made.append(calls)
    _require_answers(waiting, whole, len(messages))
    return made


def tools_of(tools: Sequence[FunctionTool] | None) -> list[Tool]:
    """Tools as chat templates expect them.

    Raises:
        InvalidRequest: one of their texts is not valid Unicode.
    """
    shown = [{"type": "function", "function": _described(tool)} for tool in tools or ()]
    for index, tool in enumerate(shown):
        try:
            json.dumps(tool, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise _invalid(
                f"tools.{index} has half a character, which is no valid unicode; send both halves or neither",
                f"tools.{index}",
            ) from error
    return shown


def _described(tool: FunctionTool) -> dict[str, Any]:
    function = tool.function
    described = {
        "name": function.name,
        "description": function.description,
        "parameters": function.parameters,
    }
    return {name: value for name, value in described.items() if value is not None}


def _require_answers(waiting: dict[str, Call], whole: set[str], index: int) -> None:
    if unanswered := [call_id for call_id in waiting if call_id in whole]:
        ids = ", ".join(unanswered)
        raise _invalid(
            f"the calls of the assistant message before messages.{index} need a message of role 'tool' each; "
            f"missing for {ids[:200]}",
            "messages",
        )


def read_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments; None if the text is not a JSON object, or not one that templates can write."""
    try:
        arguments = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(arguments, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) and _nesting(arguments) <= MAX_NESTING else None


def _arguments(text: str, index: int, number: int) -> dict[str, Any] | str:
    arguments = read_arguments(text) if text.strip() else {}
    if arguments is not None:
        return arguments
    try:
        text.encode()
    except UnicodeEncodeError as error:
        param = f"messages.{index}.tool_calls.{number}.function.arguments"
        raise _invalid(
            f"{param} has half a character, which is no valid unicode; send both halves or neither", param
        ) from error
    return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _nesting(value: object) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        waiting += [(part, depth + 1) for part in inner]
    return deepest


def _invalid(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_value")


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """Plain turns. Only the conclusions of earlier reasoning are kept, as ordinary text.

    Raises:
        InvalidRequest: a text is not valid Unicode, or calls of tools and their results do not belong together.
    """
    turns: list[Turn] = []
    for index, (message, calls) in enumerate(zip(messages, calls_of(messages), strict=True)):
        text = _text(message, index)
        if message.role == "tool":
            turns.append(Turn("tool", text, answers=calls[0]))
        else:
            turns.append(Turn(message.role, text, calls))
    return turns


def _text(message: Message, index: int) -> str:
    text = message.text
    if message.reasoning_steps:
        conclusions = Trace(protocol="", steps=tuple(message.reasoning_steps)).conclusions()
        text = "\n".join([*conclusions, text])
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"messages.{index} has half a character at position {error.start} of its text, which is no "
            "valid unicode; send both halves or neither",
            param=f"messages.{index}.content",
            code="invalid_value",
        ) from error
    return text
