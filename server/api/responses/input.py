"""From a body of the Responses API to a generation, and what is kept of it.

A record keeps the whole input, including that of earlier responses. So deleting a response takes nothing from the
responses that continue it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.server.api.responses.items import InputItem, MessageItem, ReasoningItem, TextContent, WholeItem
from steiner.server.api.responses.request import (
    AnswerFormatParam,
    ResponseGeneration,
    ResponseJsonSchema,
    ResponseReasoning,
    ResponseRequest,
)
from steiner.server.api.responses.response_object import InputItemList
from steiner.server.api.responses.tools import FunctionCallItem, FunctionCallOutputItem, chat_choice
from steiner.server.engine.base import Sampling
from steiner.server.errors import InvalidRequest
from steiner.server.intake.messages import Message
from steiner.server.intake.request import SamplingRequest
from steiner.server.intake.response_format import (
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    ResponseFormat,
    TextFormat,
)
from steiner.server.intake.stop import StopRequest
from steiner.server.intake.tools.conversation import read_arguments
from steiner.server.intake.tools.schemas import CalledFunction, MessageToolCall

Item = dict[str, Any]
"""An item in the form in which OpenAI's API gives it out."""

UNTOLD = {"started_s", "finished_s", "decision_forced"}
"""Fields of a step that no event has."""


class ResponseRecord(BaseModel):
    """What a generation keeps of the request that it came from.

    Attributes:
        items: the whole input in order, beginning with that of earlier responses.
        settings: fields of the response object that the request decides.
        has_logprobs: whether log probabilities are reported.
        seals_reasoning: whether reasoning items also have their step sealed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: tuple[Item, ...]
    settings: dict[str, Any]
    has_logprobs: bool = False
    seals_reasoning: bool = False

    @property
    def background(self) -> bool:
        """Whether it goes on without readers."""
        return bool(self.settings["background"])


def generation_of(body: ResponseRequest, items: Sequence[Item]) -> ResponseGeneration:
    """What to generate after these items."""
    instructions = [] if body.instructions is None else [Message(role="system", content=body.instructions)]
    reasoning = body.reasoning or ResponseReasoning()
    shared = {**SamplingRequest.model_fields, **StopRequest.model_fields}
    return ResponseGeneration(
        model=body.model,
        messages=[*instructions, *messages_of(items)],
        max_completion_tokens=body.max_output_tokens,
        reasoning_effort=reasoning.effort,
        reasoning=reasoning.options,
        tools=[tool.as_chat for tool in body.tools or ()] or None,
        tool_choice=chat_choice(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls,
        logit_bias=body.logit_bias,
        logprobs=body.includes_logprobs,
        top_logprobs=body.top_logprobs,
        response_format=_response_format(body.text.format if body.text else None),
        **{name: getattr(body, name) for name in shared},
    )


def settings_of(body: ResponseRequest, sampling: Sampling, default_effort: str) -> dict[str, Any]:
    """Fields of the response object that the request decides, with defaults filled in."""
    reasoning = body.reasoning or ResponseReasoning()
    answer_format = body.text.format if body.text and body.text.format else TextFormat(type="text")
    return {
        "background": bool(body.background),
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": None,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": {
            "effort": reasoning.effort or default_effort,
            "summary": reasoning.summary or reasoning.generate_summary or "auto",
        },
        "safety_identifier": body.safety_identifier,
        "service_tier": "default",
        "store": body.stored,
        "temperature": sampling.temperature,
        "text": {"format": answer_format.model_dump(by_alias=True), "verbosity": "medium"},
        "tool_choice": _plain(body.tool_choice or "auto"),
        "tools": [_plain(tool) for tool in body.tools or ()],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": sampling.top_p,
        "truncation": "disabled",
        "user": body.user,
    }


def given_items(given: str | Sequence[InputItem]) -> Sequence[InputItem]:
    """Input as items; a text is one message of the user."""
    return [MessageItem(role="user", content=given)] if isinstance(given, str) else given


def carried(output: Sequence[Item]) -> list[Item]:
    """The part of a response's output that a later one continues from: of reasoning, the live path's conclusions."""
    steps = [Step(**item["step"]) for item in output if item["type"] == "reasoning"]
    live = {step.id for step in Trace(protocol="", steps=tuple(steps)).live_path()}
    kept = [item for item in output if item["type"] != "reasoning" or item["step"]["id"] in live]
    return [carried_item(item) for item in kept]


def messages_of(items: Sequence[Item]) -> list[Message]:
    """Turns of the conversation. Reasoning belongs to the assistant's turn that follows it."""
    messages: list[Message] = []
    steps: list[Step] = []
    for item in items:
        if item["type"] == "reasoning":
            steps += [Step(**item["step"])] if item.get("step") else []
            continue
        is_answer = item["type"] == "function_call" or item.get("role") == "assistant"
        if steps and not is_answer:
            # A response that ran out of tokens while it reasoned.
            messages.append(Message(role="assistant", content="", reasoning_steps=steps))
            steps = []
        if item["type"] == "function_call":
            before = messages.pop() if messages and messages[-1].role == "assistant" and not steps else None
            messages.append(_with_call(before, item, steps))
        elif item["type"] == "function_call_output":
            messages.append(Message(role="tool", content=_text(item["output"]), tool_call_id=item["call_id"]))
        else:
            messages.append(
                Message(role=item["role"], content=_text(item["content"]), reasoning_steps=steps or None)
            )
        steps = []
    if steps:
        messages.append(Message(role="assistant", content="", reasoning_steps=steps))
    return messages


def require_answers(items: Sequence[Item]) -> None:
    """Check that every call is followed by its output, and every output has its call. A cut-off call may have none.

    Raises:
        InvalidRequest: one is missing.
    """
    waiting: set[str] = set()
    cut_off: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            is_whole = read_arguments(item["arguments"]) is not None
            (waiting if is_whole else cut_off).add(item["call_id"])
        elif item["type"] == "function_call_output":
            if item["call_id"] not in waiting | cut_off:
                raise _invalid(
                    f"no function_call before has the call_id {item['call_id']!r}, which an output names"
                )
            waiting.discard(item["call_id"])
            cut_off.discard(item["call_id"])
        elif item["type"] == "message" and waiting:
            break
    if waiting:
        missing = ", ".join(sorted(waiting))[:200]
        raise _invalid(f"each call needs a function_call_output right after it; missing for {missing}")


def page_of(items: Sequence[Item], *, after: str | None, limit: int, newest_first: bool) -> InputItemList:
    """A page of items in OpenAI's list shape.

    Raises:
        InvalidRequest: there is no item `after`.
    """
    ordered = list(reversed(items)) if newest_first else list(items)
    ids = [item["id"] for item in ordered]
    if after is not None and after not in ids:
        raise InvalidRequest(f"no input item {after!r}", param="after", code="invalid_value")
    start = 0 if after is None else ids.index(after) + 1
    page = ordered[start : start + limit]
    return InputItemList(
        data=page,
        first_id=page[0]["id"] if page else None,
        last_id=page[-1]["id"] if page else None,
        has_more=start + limit < len(ordered),
    )


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="input", code="invalid_value")


def _plain(given: BaseModel | str) -> Any:
    return given if isinstance(given, str) else given.model_dump(mode="json")


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or part.get("refusal", "") for part in content)


def _with_call(before: Message | None, item: Item, steps: list[Step]) -> Message:
    """The assistant's turn with one more call. Calls that follow each other belong to one turn."""
    called = CalledFunction(name=item["name"], arguments=item["arguments"])
    call = MessageToolCall(id=item["call_id"], type="function", function=called)
    if before is None:
        return Message(role="assistant", content="", reasoning_steps=steps or None, tool_calls=[call])
    return before.model_copy(update={"tool_calls": [*(before.tool_calls or ()), call]})


def carried_item(item: Item) -> Item:
    """A step with no text but its summary; a message without log probabilities."""
    match item["type"]:
        case "reasoning":
            sections = [section for section in item["step"]["sections"] if section["role"] == "summary"]
            kept = {**item, "content": [], "step": {**item["step"], "sections": sections}}
            kept.pop("encrypted_content", None)
            return kept
        case "message":
            return {**item, "content": [{**part, "logprobs": []} for part in item["content"]]}
        case _:
            return item


ID_PREFIX = {"message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fco"}


def kept_item(given: WholeItem, suffix: str, step: Step | None) -> Item:
    """An item in the form in which it is returned later.

    Args:
        given: as it came.
        suffix: of its id, if it has no id.
        step: of a reasoning item, opened if it was sealed.
    """
    item_id = given.id or f"{ID_PREFIX[given.type]}_{suffix}"
    if isinstance(given, FunctionCallItem | FunctionCallOutputItem):
        return given.model_dump(mode="json") | {"id": item_id, "status": given.status or "completed"}
    if isinstance(given, ReasoningItem):
        item = given.model_dump(mode="json", exclude={"encrypted_content", "step"})
        item |= {"id": item_id, "status": given.status or "completed"}
        if step is not None:
            item["step"] = step.model_dump(mode="json", exclude=UNTOLD)
        return item
    return {
        "id": item_id,
        "type": "message",
        "role": given.role,
        "content": _content(given),
        "status": given.status or "completed",
    }


def _content(message: MessageItem) -> list[Mapping[str, Any]]:
    kind = "output_text" if message.role == "assistant" else "input_text"
    extra: dict[str, Any] = {"annotations": []} if kind == "output_text" else {}
    parts = [message.content] if isinstance(message.content, str) else message.content
    content: list[Mapping[str, Any]] = []
    for part in parts:
        if isinstance(part, str):
            content.append({"type": kind, "text": part, **extra})
        elif isinstance(part, TextContent):
            content.append({"type": kind, "text": part.text, **extra})
        else:
            content.append({"type": "refusal", "refusal": part.refusal})
    return content


def _response_format(given: AnswerFormatParam | None) -> ResponseFormat | None:
    match given:
        case ResponseJsonSchema():
            schema = JsonSchema(name=given.name, description=given.description, json_schema=given.json_schema)
            return JsonSchemaFormat(type="json_schema", json_schema=schema)
        case TextFormat() | JsonObjectFormat() | None:
            return given
