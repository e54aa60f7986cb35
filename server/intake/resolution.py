"""From a request and the deployment's defaults to what the conductor needs. Refusals name the field."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from steiner.reasoning.errors import PolicyError, UnknownVerifierError
from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.parser.stop_strings import StopRule
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol, Protocol
from steiner.reasoning.verifiers import Verifier, find_verifier
from steiner.server.conductor.assignment import AnswerFormat, Assignment
from steiner.server.engine.base import Sampling
from steiner.server.errors import InvalidRequest
from steiner.server.http.refusals import refusal
from steiner.server.http.request_context import current_request
from steiner.server.intake.answer_grammar import json_grammar
from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.messages import Message
from steiner.server.intake.prompts import PromptError
from steiner.server.intake.request import GenerationRequest
from steiner.server.intake.response_format import JsonObjectFormat, JsonSchemaFormat
from steiner.server.intake.tools.conversation import tools_of, turns_of
from steiner.server.intake.tools.grammar import NO_TAGS, tool_answer
from steiner.server.intake.tools.use import resolve_tool_use
from steiner.server.settings import Settings

ANY_OBJECT: dict[str, Any] = {"type": "object"}


async def assignment_of(
    request: GenerationRequest, loaded: LoadedModel, settings: Settings, default: Policy, generation_id: str
) -> Assignment:
    """What the conductor has to do for a request.

    Args:
        request: what was asked for.
        loaded: the model that should answer.
        settings: of the deployment.
        default: the deployment's policy.
        generation_id: of the new generation.

    Raises:
        InvalidRequest: part of it cannot be served; the error names the field.
    """
    policy = resolve_policy(request, default, loaded.bound.protocol)
    verifier = resolve_verifier(policy)
    answer_format = await resolve_answer_format(request, loaded.encoder.tag_ids)
    try:
        prompt_ids = await _encode_prompt(request, loaded, policy)
    except PromptError as error:
        raise InvalidRequest(str(error), param=request.field_names.messages, code="invalid_value") from error
    return Assignment(
        id=generation_id,
        model=settings.model_id,
        prompt_ids=tuple(prompt_ids),
        policy=policy,
        sampling=resolve_sampling(request, loaded.engine.default_sampling),
        max_tokens=resolve_max_tokens(
            request,
            len(prompt_ids),
            loaded.engine.max_model_len,
            loaded.engine.default_sampling.get("max_tokens"),
            settings.max_memory_tokens if policy.memory else None,
        ),
        problem=problem_of(request.messages),
        verifier=verifier,
        answer_format=answer_format,
        stop=resolve_stop(request, loaded.bound),
        num_logprobs=request.num_logprobs,
        answer_bias=resolve_answer_bias(request, loaded.bound),
        trace_headers=current_request().trace_headers,
    )


async def _encode_prompt(request: GenerationRequest, loaded: LoadedModel, policy: Policy) -> list[int]:
    """Ids of the conversation; a model that shall reason is told how, where it was not trained for it."""
    turns, tools = turns_of(request.messages), tools_of(request.tools)
    prompt = loaded.protocol_prompt
    if prompt is None or policy.max_reasoning_tokens == 0:
        return await loaded.encoder.encode(turns, tools)
    try:
        return await loaded.encoder.encode(prompt.before(turns), tools)
    except PromptError:
        if turns and turns[0].role in ("system", "developer"):
            raise
        return await loaded.encoder.encode(prompt.before(turns, as_system=False), tools)


def resolve_policy(request: GenerationRequest, default: Policy, protocol: Protocol) -> Policy:
    """The request's own limits, then those of its effort, then the deployment's.

    Raises:
        InvalidRequest: the limits are out of range, contradict each other or could have no effect.
    """
    options = request.reasoning or ReasoningOptions()
    try:
        return options.resolve(request.reasoning_effort, default, protocol)
    except ValidationError as error:
        message, param = refusal(error.errors())
        raise InvalidRequest(
            message, param=f"reasoning.{param}" if param else "reasoning", code="invalid_value"
        ) from error
    except PolicyError as error:
        raise InvalidRequest(str(error), param=f"reasoning.{error.field}", code="invalid_value") from error


def resolve_sampling(request: GenerationRequest, defaults: Mapping[str, float | int]) -> Sampling:
    """The request's values, then the checkpoint's generation config, then vLLM's defaults."""
    given = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "min_p": request.min_p,
        "seed": request.seed,
        "repetition_penalty": request.repetition_penalty,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
    }
    chosen = {name: value for name, value in defaults.items() if name in given}
    chosen |= {name: value for name, value in given.items() if value is not None}
    return Sampling(**chosen)  # type: ignore[arg-type]


def resolve_verifier(policy: Policy) -> Verifier | None:
    """The checker that the policy names.

    Raises:
        InvalidRequest: there is none of that name.
    """
    if policy.verifier is None:
        return None
    try:
        return find_verifier(policy.verifier)
    except UnknownVerifierError as error:
        raise InvalidRequest(str(error), param="reasoning.verifier", code="invalid_value") from error


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


def check_prompt(request: GenerationRequest, num_prompt: int, limit: int | None) -> None:
    """Refuse a prompt that is longer than this server takes.

    Raises:
        InvalidRequest: it is.
    """
    if limit is not None and num_prompt > limit:
        raise InvalidRequest(
            f"the prompt has {num_prompt} tokens, this server takes {limit} (STEINER_MAX_PROMPT_TOKENS); "
            "shorten the messages",
            param=request.field_names.messages,
            code="context_length_exceeded",
        )


def resolve_num_choices(request: GenerationRequest, max_choices: int) -> int:
    """The number of generations of the request.

    Raises:
        InvalidRequest: it is more than this server makes for one request.
    """
    num_choices = request.n or 1
    if num_choices > max_choices:
        raise InvalidRequest(
            f"n ({num_choices}) is above {max_choices}, this server's limit (STEINER_MAX_CHOICES); "
            "lower it or send several requests",
            param="n",
            code="invalid_value",
        )
    return num_choices


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


def problem_of(messages: Sequence[Message]) -> str:
    """What a verifier takes for the problem: all that the user said, because a later turn may revise an earlier one."""
    return "\n".join(message.text for message in messages if message.role == "user")


def resolve_max_tokens(
    request: GenerationRequest,
    num_prompt: int,
    max_model_len: int,
    default: float | int | None,
    max_memory_tokens: int | None = None,
) -> int:
    """The most tokens of reasoning and answer.

    Args:
        default: the checkpoint's.
        max_memory_tokens: the limit of a generation with memory, which may outgrow its context; None without memory.

    Raises:
        InvalidRequest: they and the prompt do not fit the model's context, or the bound.
    """
    names = request.field_names
    room = max_model_len - num_prompt
    if room < 1:
        raise InvalidRequest(
            f"the prompt has {num_prompt} tokens, the model's context {max_model_len}, which leaves "
            f"{max(room, 0)} for reasoning and answer; shorten the {names.messages}",
            param=names.messages,
            code="context_length_exceeded",
        )
    limit = request.length_limit
    field = "max_tokens" if request.max_completion_tokens is None else names.length
    if max_memory_tokens is not None:
        if limit is not None and limit > max_memory_tokens:
            raise InvalidRequest(
                f"{field} ({limit}) is above {max_memory_tokens}, this server's limit with memory "
                "(STEINER_MAX_MEMORY_TOKENS); lower it or leave it out",
                param=field,
                code="invalid_value",
            )
        return max_memory_tokens if limit is None else limit
    if limit is None:
        return room if default is None else min(room, int(default))
    if limit > room:
        raise InvalidRequest(
            f"{num_prompt} tokens of prompt and {limit} of {field} exceed the model's context of "
            f"{max_model_len}; lower {field} to {room} or leave it out, and limit reasoning alone with "
            "reasoning.max_reasoning_tokens",
            param=field,
            code="context_length_exceeded",
        )
    return limit
