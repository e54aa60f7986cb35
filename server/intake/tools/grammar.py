"""The grammar of an answer that may call tools."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from steiner.reasoning.parser.tool_calls import CLOSING, OPENING
from steiner.server.conductor.assignment import AnswerFormat
from steiner.server.errors import InvalidRequest
from steiner.server.intake.answer_grammar import exact_text, fault_of, grammar_text, text_up_to, text_without
from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.grammar import SchemaRules, schema_rules
from steiner.server.intake.json_schema.relaxation import rules_as_far_as_possible
from steiner.server.intake.tools.use import Function, ToolUse

NO_TAGS: Mapping[str, int] = MappingProxyType({})


def tool_answer(
    use: ToolUse, text_schema: dict[str, Any] | None = None, tag_ids: Mapping[str, int] = NO_TAGS
) -> AnswerFormat:
    """The answer's grammar.

    Where all functions together are too much, those that are not strict take any arguments.

    Args:
        text_schema: what the text must fit if the answer calls nothing; None for any text.
        tag_ids: tokens that a call's tags are, if the tokenizer has them whole.

    Raises:
        InvalidRequest: the parameters of a function that is strict cannot be enforced, or all functions that are strict
            are too much together.
        SchemaRefusal: the schema of the text cannot be enforced.
    """
    frees = _fault_of(use, answer_grammar(use, text_schema)) is not None
    fault = _fault_of(use, answer_grammar(use, text_schema, frees=True)) if frees else None
    if fault is not None:
        raise _cannot_be_enforced(
            "tools",
            f"together their schemas are too large ({fault}); let fewer of them be called with tool_choice "
            "allowed_tools",
        )
    grammar = answer_grammar(use, text_schema, frees=frees, tag_ids=tag_ids)
    return AnswerFormat(use.name, grammar, use.mode != "none")


def _fault_of(use: ToolUse, grammar: str) -> str | None:
    fault = fault_of(grammar)
    # Random walks through text seldom come to a call.
    return fault_of(grammar, "calls") if fault is None and use.mode != "none" else fault


def answer_grammar(
    use: ToolUse,
    text_schema: dict[str, Any] | None = None,
    *,
    frees: bool = False,
    tag_ids: Mapping[str, int] = NO_TAGS,
) -> str:
    """What the answer may be, in llguidance's Lark.

    A tag that is a token of its own is written as that token or spelled: a grammar of text alone admits the spelling
    only, since llguidance takes added tokens like `<tool_call>` for markers.

    Args:
        frees: whether functions that are not strict take any arguments.
    """
    text = None if text_schema is None else schema_rules(text_schema)
    parts = [] if text is None else [text]
    if use.mode == "none":
        free = [f"TEXT: {text_without(OPENING)}"]
        return grammar_text("TEXT?", more=free) if text is None else grammar_text(text.root, parts)
    functions = [_parameters(function, frees=frees) for function in use.functions]
    calls = [*_calls(use, functions), _tag("opening", OPENING, tag_ids), _tag("closing", CLOSING, tag_ids)]
    if use.mode == "required":
        return grammar_text("opening calls", functions, calls)
    if text is not None:
        return grammar_text(f"{text.root} | opening calls", [*parts, *functions], calls)
    # Text up to the first opening; after the calls there is none.
    before = [f"before_calls[lazy]: {text_up_to(OPENING)}", f"TEXT: {text_without(OPENING)}"]
    by_token = f" | TEXT? <[{tag_ids[OPENING]}]> calls" if OPENING in tag_ids else ""
    return grammar_text(f"TEXT? | before_calls calls{by_token}", functions, [*before, *calls])


def _tag(name: str, text: str, tag_ids: Mapping[str, int]) -> str:
    """The rule of a tag, spelled or as its token."""
    whole = f" | <[{tag_ids[text]}]>" if text in tag_ids else ""
    return f"{name}: {name.upper()}{whole}\n{name.upper()}: {exact_text(text)}"


def _parameters(function: Function, *, frees: bool) -> SchemaRules:
    prefix = f"f{function.index}_"
    if not function.is_strict:
        return rules_as_far_as_possible({} if frees else function.schema, prefix)
    try:
        return schema_rules(function.schema, prefix)
    except SchemaRefusal as refusal:
        raise _cannot_be_enforced(f"tools.{function.index}.function.parameters", str(refusal)) from refusal


def _cannot_be_enforced(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param} cannot be enforced: {reason}", param=param, code="invalid_value")


def _calls(use: ToolUse, parameters: list[SchemaRules]) -> list[str]:
    """Rules of one call after its opening, and of further whole calls if several are allowed."""
    lines = []
    for function, rules in zip(use.functions, parameters, strict=True):
        # Names have letters, digits, "_" and "-", none of which JSON escapes.
        head = exact_text(f'\n{{"name": "{function.name}", "arguments": ')
        lines.append(f"call{function.index}: {head} {rules.root} CALL_END closing")
    lines.append(f"CALL_END: {exact_text(f'}}{chr(10)}')}")
    lines.append(f"call: {' | '.join(f'call{function.index}' for function in use.functions)}")
    if not use.parallel:
        return [*lines, "calls: call"]
    return [*lines, f"NEXT: {exact_text(chr(10))}", "calls: call (NEXT opening call)*"]
