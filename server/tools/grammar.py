"""The grammar of an answer that may call tools, from a structural tag of xgrammar.

It has no token ids: a tokenizer that has `<tool_call>` as one token may use it, and one that has not spells it; the
text is the same.
"""

from __future__ import annotations

import json
from typing import Any

from steiner.reasoning.tool_calls import CLOSING, OPENING
from steiner.server.engine import EngineRefusal, TokenEngine
from steiner.server.errors import InvalidRequest
from steiner.server.interventions.answer import AnswerFormat
from steiner.server.json_grammar import Format, json_format, schema_grammar, structural_tag_of
from steiner.server.schema_limits import why_too_large
from steiner.server.tools.use import Function, ToolUse


def tool_answer(use: ToolUse, engine: TokenEngine, text_schema: dict[str, Any] | None = None) -> AnswerFormat:
    """The answer's grammar.

    Args:
        text_schema: what text must fit where the answer calls nothing; None for any text.

    Raises:
        InvalidRequest: the engine cannot hold calls to the functions' parameters, or not soon.
    """
    if use.mode != "none":
        for function in use.functions:
            param = f"tools.{function.index}.function.parameters"
            try:
                schema_grammar(function.schema, engine)
            except EngineRefusal as error:
                raise _cannot_be_enforced(param, str(error)) from error
        schemas = [function.schema for function in use.functions]
        reason = why_too_large(schemas, [json.dumps(schema) for schema in schemas])
        if reason is not None:
            raise _cannot_be_enforced(
                "tools", f"{reason}, or let fewer of them be called with tool_choice allowed_tools"
            )
    try:
        grammar = engine.grammar_of(structural_tag(use, text_schema))
    except EngineRefusal as error:
        raise _cannot_be_enforced("tools", str(error)) from error
    return AnswerFormat(use.name, grammar, use.mode != "none")


def structural_tag(use: ToolUse, text_schema: dict[str, Any] | None = None) -> str:
    """What the answer may be, as JSON text."""
    return structural_tag_of(_answer(use, text_schema))


def _cannot_be_enforced(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param} cannot be enforced: {reason}", param=param, code="invalid_value")


def _answer(use: ToolUse, text_schema: dict[str, Any] | None) -> Format:
    match use.mode:
        case "none":
            if text_schema is not None:
                return json_format(text_schema)
            return {"type": "any_text", "excludes": [OPENING]}
        case "required":
            return _sequence(_text(OPENING), _calls(use))
        case "auto":
            if text_schema is not None:
                return _any_of([_sequence(_text(OPENING), _calls(use)), json_format(text_schema)])
            # Text up to the first opening; behind the calls there is none.
            return {"type": "dispatch", "rules": [[OPENING, _calls(use)]], "loop": False}


def _calls(use: ToolUse) -> Format:
    """One call behind its opening, and further whole ones where several are allowed."""
    one = _any_of([_call(function) for function in use.functions])
    if not use.parallel:
        return one
    return _sequence(one, {"type": "star", "content": _sequence(_text(f"\n{OPENING}"), one)})


def _call(function: Function) -> Format:
    # Names are of letters, digits, "_" and "-": nothing that JSON escapes.
    head = f'\n{{"name": "{function.name}", "arguments": '
    return _sequence(_text(head), json_format(function.schema), _text(f"}}\n{CLOSING}"))


def _text(value: str) -> Format:
    return {"type": "const_string", "value": value}


def _sequence(*elements: Format) -> Format:
    return {"type": "sequence", "elements": list(elements)}


def _any_of(elements: list[Format]) -> Format:
    return elements[0] if len(elements) == 1 else {"type": "or", "elements": elements}
