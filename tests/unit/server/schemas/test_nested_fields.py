"""No field of OpenAI's or vLLM's requests, at any level, is called unknown: it is read, or refused with a reason.

The lists are those of the installed packages. A kind of object that is read is named here with the class that does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
import typing_extensions
from openai.types import chat, responses, shared_params
from openai.types.chat import (
    chat_completion_message_function_tool_call_param,
    chat_completion_named_tool_choice_param,
    completion_create_params,
)
from openai.types.responses import response_create_params, response_input_param, response_reasoning_item_param
from openai.types.shared.reasoning_effort import ReasoningEffort
from openai.types.shared_params import response_format_json_schema
from pydantic import BaseModel, ValidationError
from vllm.entrypoints.generate.base import protocol as vllm_base
from vllm.entrypoints.openai.chat_completion import protocol as vllm_chat
from vllm.entrypoints.serve.engine.protocol import _REMOVED_GUIDED_FIELDS
from vllm.renderers import chat_utils

from steiner.server.api.chat.request import ChatRequest, StreamOptions
from steiner.server.api.responses import items as response_items
from steiner.server.api.responses import request as response_schemas
from steiner.server.api.responses import tools as response_tools
from steiner.server.api.responses.not_offered import RESPONSES_NOT_OFFERED
from steiner.server.http.refusals import refusal
from steiner.server.intake import messages
from steiner.server.intake.not_offered import NOT_OFFERED, NOT_OFFERED_IN, WITHOUT_EFFECT_IN
from steiner.server.intake.response_format import JsonObjectFormat, JsonSchema, JsonSchemaFormat, TextFormat
from steiner.server.intake.tools import schemas as tools

Place = tuple[str, ...]

READ: dict[Any, type[BaseModel]] = {
    completion_create_params.CompletionCreateParamsStreaming: ChatRequest,
    completion_create_params.CompletionCreateParamsNonStreaming: ChatRequest,
    chat.ChatCompletionDeveloperMessageParam: messages.Message,
    chat.ChatCompletionSystemMessageParam: messages.Message,
    chat.ChatCompletionUserMessageParam: messages.Message,
    chat.ChatCompletionAssistantMessageParam: messages.Message,
    chat.ChatCompletionToolMessageParam: messages.Message,
    chat.ChatCompletionContentPartTextParam: messages.TextPart,
    chat.ChatCompletionContentPartRefusalParam: messages.RefusalPart,
    chat.ChatCompletionMessageFunctionToolCallParam: tools.MessageToolCall,
    chat_completion_message_function_tool_call_param.Function: tools.CalledFunction,
    chat.ChatCompletionStreamOptionsParam: StreamOptions,
    chat.ChatCompletionFunctionToolParam: tools.FunctionTool,
    shared_params.FunctionDefinition: tools.FunctionDefinition,
    chat.ChatCompletionAllowedToolChoiceParam: tools.AllowedToolsChoice,
    chat.ChatCompletionAllowedToolsParam: tools.AllowedTools,
    chat.ChatCompletionNamedToolChoiceParam: tools.FunctionChoice,
    chat_completion_named_tool_choice_param.Function: tools.NamedFunction,
    shared_params.ResponseFormatText: TextFormat,
    shared_params.ResponseFormatJSONObject: JsonObjectFormat,
    shared_params.ResponseFormatJSONSchema: JsonSchemaFormat,
    response_format_json_schema.JSONSchema: JsonSchema,
    # vLLM's.
    vllm_chat.ChatCompletionRequest: ChatRequest,
    chat_utils.CustomChatCompletionMessageParam: messages.Message,
    vllm_base.StreamOptions: StreamOptions,
    vllm_chat.ChatCompletionToolsParam: tools.FunctionTool,
    vllm_base.FunctionDefinition: tools.FunctionDefinition,
    vllm_chat.ChatCompletionNamedToolChoiceParam: tools.FunctionChoice,
    vllm_chat.ChatCompletionNamedFunction: tools.NamedFunction,
    vllm_base.ResponseFormat: JsonSchemaFormat,
    vllm_base.JsonSchemaResponseFormat: JsonSchema,
    # The Responses API.
    response_create_params.ResponseCreateParamsStreaming: response_schemas.ResponseRequest,
    response_create_params.ResponseCreateParamsNonStreaming: response_schemas.ResponseRequest,
    response_create_params.StreamOptions: response_schemas.ResponseStreamOptions,
    shared_params.Reasoning: response_schemas.ResponseReasoning,
    responses.ResponseTextConfigParam: response_schemas.ResponseText,
    responses.ResponseFormatTextJSONSchemaConfigParam: response_schemas.ResponseJsonSchema,
    responses.EasyInputMessageParam: response_items.MessageItem,
    response_input_param.Message: response_items.MessageItem,
    responses.ResponseOutputMessageParam: response_items.MessageItem,
    responses.ResponseInputTextParam: response_items.TextContent,
    responses.ResponseOutputTextParam: response_items.TextContent,
    responses.ResponseOutputRefusalParam: response_items.RefusalContent,
    responses.ResponseReasoningItemParam: response_items.ReasoningItem,
    response_reasoning_item_param.Summary: response_items.SummaryText,
    response_reasoning_item_param.Content: response_items.ReasoningText,
    responses.ResponseFunctionToolCallParam: response_tools.FunctionCallItem,
    response_input_param.FunctionCallOutput: response_tools.FunctionCallOutputItem,
    responses.ResponseInputTextContentParam: response_tools.OutputText,
    responses.FunctionToolParam: response_tools.ResponseFunctionTool,
    responses.ToolChoiceFunctionParam: response_tools.ResponseFunctionChoice,
    responses.ToolChoiceAllowedParam: response_tools.ResponseAllowedTools,
}
AT_THE_TOP: dict[Any, Any] = {
    ChatRequest: NOT_OFFERED,
    response_schemas.ResponseRequest: RESPONSES_NOT_OFFERED,
}
ROOTS = [one for one, model in READ.items() if model in AT_THE_TOP]

USER = {"role": "user", "content": "a"}
BODIES: dict[tuple[type[BaseModel], Place], Callable[[Any], Any]] = {
    (ChatRequest, ("messages",)): lambda one: {"messages": [one]},
    (ChatRequest, ("messages", "content")): lambda one: {"messages": [{"role": "user", "content": [one]}]},
    (ChatRequest, ("messages", "tool_calls")): lambda one: {
        "messages": [USER, {"role": "assistant", "tool_calls": [one]}]
    },
    (ChatRequest, ("messages", "audio")): lambda one: {
        "messages": [USER, {"role": "assistant", "content": "a", "audio": one}]
    },
    (ChatRequest, ("messages", "function_call")): lambda one: {
        "messages": [USER, {"role": "assistant", "content": "a", "function_call": one}]
    },
    (ChatRequest, ("tools",)): lambda one: {"messages": [USER], "tools": [one]},
    (ChatRequest, ("tool_choice",)): lambda one: {"messages": [USER], "tool_choice": one},
    (ChatRequest, ("response_format",)): lambda one: {"messages": [USER], "response_format": one},
    (response_schemas.ResponseRequest, ("input",)): lambda one: {"input": [one]},
    (response_schemas.ResponseRequest, ("input", "content")): lambda one: {
        "input": [{"role": "user", "content": [one]}]
    },
    (response_schemas.ResponseRequest, ("input", "output")): lambda one: {
        "input": [{"type": "function_call_output", "call_id": "c", "output": [one]}]
    },
    (response_schemas.ResponseRequest, ("tools",)): lambda one: {"input": "a", "tools": [one]},
    (response_schemas.ResponseRequest, ("tool_choice",)): lambda one: {"input": "a", "tool_choice": one},
}
"""Bodies around an object of a kind that is not read, by its place."""


def fields_of(kind: Any) -> dict[str, Any] | None:
    """Fields of an object by their names, with types; None for what is no object."""
    if typing_extensions.is_typeddict(kind):
        return typing_extensions.get_type_hints(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    return None


def objects_in(annotation: Any) -> Iterator[Any]:
    """Kinds of objects that a type has room for, in lists and unions."""
    if fields_of(annotation) is not None:
        yield annotation
        return
    for inner in get_args(annotation):
        yield from objects_in(inner)


def own_fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def reached(
    kind: Any, root: type[BaseModel], place: Place = ()
) -> Iterator[tuple[Any, type[BaseModel], Place]]:
    """Every kind of object below one, through fields that are read."""
    yield kind, root, place
    if kind not in READ:
        return
    own = own_fields(READ[kind])
    for name, annotation in (fields_of(kind) or {}).items():
        if name in own and "Any" not in str(own[name].annotation):
            for inner in objects_in(annotation):
                yield from reached(inner, root, (*place, name))


def every_kind() -> dict[tuple[str, str], tuple[Any, type[BaseModel], Place]]:
    found: dict[tuple[str, str], tuple[Any, type[BaseModel], Place]] = {}
    for root in ROOTS:
        for kind, model, place in reached(root, READ[root]):
            found.setdefault((f"{kind.__module__}.{kind.__name__}", ".".join(place)), (kind, model, place))
    return found


EVERY_KIND = every_kind()


def test_the_walk_reaches_what_is_read() -> None:
    kinds = [kind for kind, _, _ in EVERY_KIND.values()]
    assert [kind for kind in READ if kind not in kinds] == []


@pytest.mark.parametrize(
    "name", [name for name, (kind, *_) in EVERY_KIND.items() if kind in READ], ids=".".join
)
def test_every_field_of_what_is_read_is_known(name: tuple[str, str]) -> None:
    kind, _, _ = EVERY_KIND[name]
    model = READ[kind]
    known = {*own_fields(model), *AT_THE_TOP.get(model, ())}
    known |= {*NOT_OFFERED_IN.get(model.__name__, ()), *WITHOUT_EFFECT_IN.get(model.__name__, ())}
    if model.model_config.get("extra") != "ignore":
        assert set(fields_of(kind) or ()) - known == set()


def filled(kind: Any) -> dict[str, Any]:
    """An object of a kind, its fields filled with anything but for those that say what it is."""
    return {
        name: next((one for one in get_args(annotation) if isinstance(one, str)), "x")
        for name, annotation in (fields_of(kind) or {}).items()
    }


@pytest.mark.parametrize(
    "name", [name for name, (kind, *_) in EVERY_KIND.items() if kind not in READ], ids=".".join
)
def test_a_kind_that_is_not_read_is_refused_for_what_it_is(name: tuple[str, str]) -> None:
    kind, root, place = EVERY_KIND[name]
    try:
        root.model_validate(BODIES[root, place](filled(kind)))
    except ValidationError as error:
        message, param = refusal(error.errors(), root)
        assert "unknown" not in message
        assert param is not None
        assert param.startswith(place[0])


@pytest.mark.parametrize(
    ("class_name", "field"),
    [(class_name, field) for class_name, fields in NOT_OFFERED_IN.items() for field in fields],
)
def test_a_field_within_is_refused_by_its_path_and_reason(class_name: str, field: str) -> None:
    function = {"name": "f"}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    text = {"type": "input_text", "text": "a"}
    output = {"type": "function_call_output", "call_id": "c", "output": [text | {field: "x"}]}
    bodies: dict[str, tuple[type[BaseModel], Any, str]] = {
        "Message": (ChatRequest, {"messages": [USER | {field: "x"}]}, "messages.0"),
        "TextPart": (
            ChatRequest,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "a", field: {"mode": "x"}}]}
                ]
            },
            "messages.0.content.0",
        ),
        "FunctionTool": (
            ChatRequest,
            {"messages": [USER], "tools": [{"type": "function", "function": function, field: "x"}]},
            "tools.0",
        ),
        "FunctionDefinition": (
            ChatRequest,
            {"messages": [USER], "tools": [{"type": "function", "function": function | {field: True}}]},
            "tools.0.function",
        ),
        "TextContent": (
            response_schemas.ResponseRequest,
            {"input": [{"role": "user", "content": [text | {field: {"mode": "x"}}]}]},
            "input.0.content.0",
        ),
        "OutputText": (response_schemas.ResponseRequest, {"input": [call, output]}, "input.1.output.0"),
        "ResponseFunctionTool": (
            response_schemas.ResponseRequest,
            {"input": "a", "tools": [{"type": "function", "name": "f", field: "x"}]},
            "tools.0",
        ),
    }
    model, body, where = bodies[class_name]
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    message, param = refusal(refused.value.errors(), model)
    assert param == f"{where}.{field}"
    assert message == f"{param}: {NOT_OFFERED_IN[class_name][field].reason}"


def test_what_asks_for_nothing_is_taken() -> None:
    function: dict[str, Any] = {"type": "function", "name": "f"}
    quiet = {"async": False, "defer_loading": False, "allowed_callers": ["direct"], "output_schema": None}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "a", "prompt_cache_breakpoint": None}]},
        call | {"async": True, "caller": {"type": "direct"}, "namespace": "n"},
        output | {"caller": {"type": "direct"}, "name": "f", "namespace": None},
    ]
    body = {"input": items, "tools": [function | quiet]}
    assert response_schemas.ResponseRequest.model_validate(body).tools


def test_fields_that_older_versions_had_are_refused_with_what_to_send() -> None:
    assert {name for name in NOT_OFFERED if name.startswith("guided_")} == _REMOVED_GUIDED_FIELDS


EFFORTS = [effort for effort in get_args(get_args(ReasoningEffort)[0]) if isinstance(effort, str)]


@pytest.mark.parametrize("effort", EFFORTS)
def test_efforts_of_newer_clients_are_the_largest_here(effort: str) -> None:
    taken = "high" if effort in ("xhigh", "max") else effort
    assert (
        ChatRequest.model_validate({"messages": [USER], "reasoning_effort": effort}).reasoning_effort == taken
    )
    body = {"input": "a", "reasoning": {"effort": effort}}
    reasoning = response_schemas.ResponseRequest.model_validate(body).reasoning
    assert reasoning is not None
    assert reasoning.effort == taken


def test_all_efforts_are_tried() -> None:
    assert {"none", "minimal", "low", "medium", "high", "xhigh", "max"} <= set(EFFORTS)
