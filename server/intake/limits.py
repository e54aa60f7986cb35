"""The limits of a request beside those of the deployment and the model: reasoning, choices, prompt, tokens.

Refusals name the field.
"""

from __future__ import annotations

from pydantic import ValidationError

from steiner.reasoning.errors import PolicyError, UnknownVerifierError
from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import Protocol
from steiner.reasoning.verifiers import Verifier, find_verifier
from steiner.server.engine.base import Sampling
from steiner.server.errors import InvalidRequest
from steiner.server.http.refusals import refusal
from steiner.server.intake.request import GenerationRequest


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


def check_biases(request: GenerationRequest, policy: Policy, sampling: Sampling, why_not: str | None) -> None:
    """Refuse what an engine cannot apply, before anything is generated.

    Args:
        why_not: what keeps the engine from applying biases and `min_p`; None if it applies them.

    Raises:
        InvalidRequest: the request or the deployment asks for one.
    """
    asked = {
        "logit_bias": bool(request.logit_bias),
        "min_p": bool(sampling.min_p),
        "reasoning.backtrack_bias": bool(policy.backtrack_bias),
        "reasoning.end_bias": bool(policy.end_bias),
    }
    for field, is_asked in asked.items():
        if is_asked and why_not is not None:
            raise InvalidRequest(f"{field}: {why_not}", param=field, code="invalid_value")


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
    room = _room_behind(request, num_prompt, max_model_len)
    limit = request.length_limit
    field = "max_tokens" if request.max_completion_tokens is None else request.field_names.length
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


def _room_behind(request: GenerationRequest, num_prompt: int, max_model_len: int) -> int:
    """Tokens of the model's context that a prompt leaves, at least one."""
    room = max_model_len - num_prompt
    if room < 1:
        messages = request.field_names.messages
        raise InvalidRequest(
            f"the prompt has {num_prompt} tokens, the model's context {max_model_len}, which leaves "
            f"{max(room, 0)} for reasoning and answer; shorten the {messages}",
            param=messages,
            code="context_length_exceeded",
        )
    return room
