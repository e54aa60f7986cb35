"""What the answer is held to: its format and its calls of tools, biases of its tokens, and where it ends.

Refusals name the field.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from steiner.reasoning.parser.stop_strings import StopRule
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.conductor.assignment import AnswerFormat
from steiner.server.errors import InvalidRequest
from steiner.server.intake.answer_grammar import json_grammar
from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.request import GenerationRequest
from steiner.server.intake.response_format import JsonObjectFormat, JsonSchemaFormat
from steiner.server.intake.tools.grammar import NO_TAGS, tool_answer
from steiner.server.intake.tools.use import resolve_tool_use

ANY_OBJECT: dict[str, Any] = {"type": "object"}


async def resolve_answer_format(
    request: GenerationRequest, tag_ids: Mapping[str, int] = NO_TAGS
) -> AnswerFormat | None:
    """What the answer has to fit. With tools, a response format applies to answers without calls.

    Raises:
        InvalidRequest: a schema cannot be enforced, or the tools contradict each other.
    """
    if request.response_format is None and not request.tools:
        return _answer_format(request, tag_ids)
    # A large schema takes a while.
    return await asyncio.to_thread(_answer_format, request, tag_ids)


def _answer_format(request: GenerationRequest, tag_ids: Mapping[str, int]) -> AnswerFormat | None:
    use = resolve_tool_use(request.tools, request.tool_choice, request.parallel_tool_calls)
    match request.response_format:
        case JsonObjectFormat():
            name, schema = "a JSON object", ANY_OBJECT
        case JsonSchemaFormat(json_schema=described):
            name, schema = f"schema {described.name}", described.json_schema
        case _:
            return None if use is None else tool_answer(use, tag_ids=tag_ids)
    try:
        return AnswerFormat(name, json_grammar(schema)) if use is None else tool_answer(use, schema, tag_ids)
    except SchemaRefusal as refused:
        field = request.field_names.schema
        raise InvalidRequest(
            f"{field} cannot be enforced: {refused}", param=field, code="invalid_value"
        ) from refused


def resolve_answer_bias(request: GenerationRequest, bound: BoundProtocol) -> dict[int, float]:
    """Biases of the answer's tokens by id.

    Raises:
        InvalidRequest: an id is not in the vocabulary, or is a marker, which only the protocol may move.
    """
    biases = {int(token_id): bias for token_id, bias in (request.logit_bias or {}).items()}
    for token_id in biases:
        if token_id >= bound.vocab_size or token_id in bound.special_ids:
            reason = (
                f"the model's token ids end at {bound.vocab_size - 1}"
                if token_id >= bound.vocab_size
                else "it is a marker of the reasoning or of the turn, which reasoning.backtrack_bias and "
                "reasoning.end_bias are for"
            )
            raise InvalidRequest(
                f"logit_bias.{token_id}: {reason}", param=f"logit_bias.{token_id}", code="invalid_value"
            )
    return biases


def resolve_stop(request: GenerationRequest, bound: BoundProtocol) -> StopRule:
    """What ends the answer, other than the end of the turn.

    Raises:
        InvalidRequest: a token is not in the vocabulary.
    """
    for index, token_id in enumerate(request.stop_token_ids or ()):
        if token_id >= bound.vocab_size:
            raise InvalidRequest(
                f"stop_token_ids.{index} is {token_id}, and the model's token ids end at {bound.vocab_size - 1}",
                param=f"stop_token_ids.{index}",
                code="invalid_value",
            )
    return StopRule(
        tuple(request.stop or ()),
        frozenset(request.stop_token_ids or ()),
        included=bool(request.include_stop_str_in_output),
    )
