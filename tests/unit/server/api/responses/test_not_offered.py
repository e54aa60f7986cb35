"""Every parameter of the Responses API that OpenAI's and vLLM's clients may send is a field, or refused by name."""

from typing import get_args

import pytest
from openai.types.responses import ResponseIncludable
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import ValidationError

from steiner.server.api.responses.not_offered import INCLUDED, NOT_INCLUDED, RESPONSES_NOT_OFFERED
from steiner.server.api.responses.request import ResponseRequest
from steiner.server.http.refusals import refusal

OPENAI = ResponseCreateParamsStreaming.__annotations__ | ResponseCreateParamsNonStreaming.__annotations__


@pytest.mark.parametrize("name", sorted(OPENAI))
def test_openais_parameters_are_known(name: str) -> None:
    assert (name in ResponseRequest.model_fields) != (name in RESPONSES_NOT_OFFERED)


def test_vllms_parameters_are_known() -> None:
    from vllm.entrypoints.openai.responses.protocol import ResponsesRequest

    names = set(ResponsesRequest.model_fields)
    assert names > {"top_k", "ignore_eos"}
    assert names <= set(ResponseRequest.model_fields) | set(RESPONSES_NOT_OFFERED)


@pytest.mark.parametrize("name", RESPONSES_NOT_OFFERED)
def test_what_is_not_offered_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ResponseRequest.model_validate({"input": "make 22", name: "anything"})
    message, param = refusal(refused.value.errors())
    assert (message, param) == (f"{name}: {RESPONSES_NOT_OFFERED[name].reason}", name)


@pytest.mark.parametrize("name", RESPONSES_NOT_OFFERED)
def test_asking_for_nothing_is_no_reason_to_refuse(name: str) -> None:
    for value in (None, [], {}, *RESPONSES_NOT_OFFERED[name].harmless):
        assert ResponseRequest.model_validate({"input": "make 22", name: value}).input


def test_every_name_that_include_may_have_is_known() -> None:
    assert set(get_args(ResponseIncludable)) == {*NOT_INCLUDED, *INCLUDED}


@pytest.mark.parametrize("name", [*NOT_INCLUDED, "everything"])
def test_nothing_else_can_be_included(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ResponseRequest.model_validate({"input": "make 22", "include": [name]})
    message, param = refusal(refused.value.errors())
    assert param == "include"
    assert name in message
    assert NOT_INCLUDED.get(name, "unknown") in message
