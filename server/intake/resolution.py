"""From a request and the deployment's defaults to what the conductor needs. Refusals name the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steiner.reasoning.policy import Policy
from steiner.server.conductor.assignment import Assignment
from steiner.server.engine.base import Sampling
from steiner.server.errors import InvalidRequest
from steiner.server.http.request_context import current_request
from steiner.server.intake.answer_rules import resolve_answer_bias, resolve_answer_format, resolve_stop
from steiner.server.intake.limits import check_biases, resolve_max_tokens, resolve_policy, resolve_verifier
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.messages import Message
from steiner.server.intake.prompts import PromptError
from steiner.server.intake.request import GenerationRequest
from steiner.server.intake.tools.conversation import tools_of, turns_of
from steiner.server.settings import Settings


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
    sampling = resolve_sampling(request, loaded.engine.default_sampling)
    check_biases(request, policy, sampling, loaded.engine.bias_refusal)
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
        sampling=sampling,
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


def problem_of(messages: Sequence[Message]) -> str:
    """What a verifier takes for the problem: all that the user said, because a later turn may revise an earlier one."""
    return "\n".join(message.text for message in messages if message.role == "user")
