"""The grammar of an answer that may call tools, from a structural tag of xgrammar.

It is made of texts and JSON Schemas only, and of no token ids: special tokens are kept out of the answer as they are
of any answer that a schema holds (`token_requests`). A tokenizer that has `<tool_call>` as one token may use it, and
one that has not spells it; the text is the same.

https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from steiner.reasoning.tool_calls import CLOSING, OPENING
from steiner.server.engine import EngineRefusal, TokenEngine
from steiner.server.errors import InvalidRequest
from steiner.server.schema_limits import why_not_enforced, why_too_large
from steiner.server.tools.use import Function, ToolUse

MAX_WHITE_SPACE = 1
"""Between two tokens of JSON: what models are trained to write, and nothing to lose themselves in."""

Format = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What an answer is held to where the request has tools.

    Attributes:
        name: for a person.
        grammar: as the engine takes it.
        may_call: whether there can be calls to read.
    """

    name: str
    grammar: str
    may_call: bool


def tool_answer(use: ToolUse, engine: TokenEngine, text_schema: dict[str, Any] | None = None) -> ToolAnswer:
    """The answer's grammar.

    Args:
        text_schema: what text must fit where the answer calls nothing; None for any text.

    Raises:
        InvalidRequest: the engine cannot hold calls to the functions' parameters, or not soon.
    """
    if use.mode != "none":
        for function in use.functions:
            param = f"tools.{function.index}.function.parameters"
            reason = why_not_enforced([function.schema], engine) or _why_no_grammar(_call(function), engine)
            if reason is not None:
                raise _cannot_be_enforced(param, reason)
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
    return ToolAnswer(use.name, grammar, use.mode != "none")


def structural_tag(use: ToolUse, text_schema: dict[str, Any] | None = None) -> str:
    """What the answer may be, as JSON text."""
    return _tag(_answer(use, text_schema))


def _tag(form: Format) -> str:
    return json.dumps({"type": "structural_tag", "format": form})


def _why_no_grammar(form: Format, engine: TokenEngine) -> str | None:
    try:
        engine.grammar_of(_tag(form))
    except EngineRefusal as error:
        return str(error)
    return None


def _cannot_be_enforced(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param} cannot be enforced: {reason}", param=param, code="invalid_value")


def _answer(use: ToolUse, text_schema: dict[str, Any] | None) -> Format:
    match use.mode:
        case "none":
            if text_schema is not None:
                return _json(text_schema)
            return {"type": "any_text", "excludes": [OPENING]}
        case "required":
            return _sequence(_text(OPENING), _calls(use))
        case "auto":
            if text_schema is not None:
                return _any_of([_sequence(_text(OPENING), _calls(use)), _json(text_schema)])
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
    return _sequence(_text(head), _json(function.schema), _text(f"}}\n{CLOSING}"))


def _json(schema: dict[str, Any]) -> Format:
    return {"type": "json_schema", "json_schema": schema, "max_whitespace_cnt": MAX_WHITE_SPACE}


def _text(value: str) -> Format:
    return {"type": "const_string", "value": value}


def _sequence(*elements: Format) -> Format:
    return {"type": "sequence", "elements": list(elements)}


def _any_of(elements: list[Format]) -> Format:
    return elements[0] if len(elements) == 1 else {"type": "or", "elements": elements}
