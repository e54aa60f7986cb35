"""Every parameter that OpenAI's and vLLM's clients may send is a field, or refused by name with a reason."""

import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import ValidationError

from steiner.server.api.chat.request import ChatRequest
from steiner.server.http.refusals import refusal
from steiner.server.intake.not_offered import NOT_OFFERED

OPENAI = CompletionCreateParamsStreaming.__annotations__ | CompletionCreateParamsNonStreaming.__annotations__
MESSAGES = [{"role": "user", "content": "make 22 from 15 4 11"}]


@pytest.mark.parametrize("name", sorted(OPENAI))
def test_openais_parameters_are_known(name: str) -> None:
    assert (name in ChatRequest.model_fields) != (name in NOT_OFFERED)


def test_vllms_parameters_are_known() -> None:
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    names = set(ChatCompletionRequest.model_fields)
    assert names > {"top_k", "ignore_eos"}
    assert names <= set(ChatRequest.model_fields) | set(NOT_OFFERED)


def test_nothing_is_offered_and_refused() -> None:
    assert not set(ChatRequest.model_fields) & set(NOT_OFFERED)


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_what_is_not_offered_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ChatRequest.model_validate({"messages": MESSAGES, name: "anything"})
    message, param = refusal(refused.value.errors())
    assert param == name
    assert message == f"{name}: {NOT_OFFERED[name].reason}"


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_asking_for_nothing_is_no_reason_to_refuse(name: str) -> None:
    for value in (None, [], {}, *NOT_OFFERED[name].harmless):
        assert ChatRequest.model_validate({"messages": MESSAGES, name: value}).messages


def test_yes_is_not_one() -> None:
    with pytest.raises(ValidationError, match="best_of"):
        ChatRequest.model_validate({"messages": MESSAGES, "best_of": True})
