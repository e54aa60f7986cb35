"""Bad input to the Responses API: a clear 4xx in OpenAI's shape, in that API's names."""

import json
from typing import Any

import httpx
import pytest

ITEM = {"role": "user", "content": "make 22 from 15 4 11"}
STEP = {"type": "reasoning", "summary": []}

# body, the field named, words of the message
REFUSED: dict[str, tuple[dict[str, Any], str | None, tuple[str, ...]]] = {
    "no input": ({"input": None}, "input", ()),
    "no items": ({"input": []}, "input", ("at least 1",)),
    "a number": ({"input": 5}, "input", ("string",)),
    "an item of no kind": ({"input": [{"text": "a"}]}, "input.0", ("message", "reasoning")),
    "an item of another kind": ({"input": [ITEM, {"type": "mcp_call", "id": "a"}]}, "input.1", ("type",)),
    "an item that is not there": (
        {"input": [ITEM, {"type": "item_reference", "id": "a"}]},
        "input.1.id",
        ("'a'", "store=false"),
    ),
    "an item without a role": ({"input": [{"id": "a", "content": "b"}]}, "input.0", ("message",)),
    "an unknown role": ({"input": [{"role": "tool", "content": "a"}]}, "input.0.role", ("'tool'",)),
    "an image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
        "input.0.content.0",
        ("input_image",),
    ),
    "a refusal of the user's": (
        {"input": [{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}]},
        "input.0",
        ("assistant",),
    ),
    "an unknown field of an item": ({"input": [ITEM | {"tone": "calm"}]}, "input.0.tone", ("unknown",)),
    "encrypted reasoning": (
        {"input": [STEP | {"encrypted_content": "x"}]},
        "input.0.encrypted_content",
        ("encrypted",),
    ),
    "a step that is none": ({"input": [STEP | {"step": {"id": 1}}]}, "input.0.step.depth", ("missing",)),
    "unknown field": ({"inputs": "a"}, "inputs", ("unknown field", "'input'")),
    "a name of chat completions": (
        {"max_completion_tokens": 5},
        "max_completion_tokens",
        ("max_output_tokens",),
    ),
    "no tokens": ({"max_output_tokens": 0}, "max_output_tokens", ()),
    "beyond the context": (
        {"max_output_tokens": 2045},
        "max_output_tokens",
        ("14", "2045", "2048", "2034", "max_output_tokens"),
    ),
    "input beyond the context": ({"input": "15 " * 3000}, "input", ("3009", "2048", "shorten the input")),
    "too hot": ({"temperature": 2.5}, "temperature", ("2.5",)),
    "not a number": ({"temperature": float("nan")}, "temperature", ("finite",)),
    "a conversation": ({"conversation": "conv_1"}, "conversation", ("previous_response_id",)),
    "an unknown effort": ({"reasoning": {"effort": "extreme"}}, "reasoning.effort", ("'extreme'", "'high'")),
    "a short summary": ({"reasoning": {"summary": "concise"}}, "reasoning.summary", ("'auto'",)),
    "two summaries": (
        {"reasoning": {"summary": "auto", "generate_summary": "detailed"}},
        "reasoning",
        ("differ",),
    ),
    "an unknown limit": ({"reasoning": {"max_step": 3}}, "reasoning.max_step", ("'max_steps'",)),
    "no steps": ({"reasoning": {"max_steps": 0}}, "reasoning.max_steps", ("max_reasoning_tokens",)),
    "a limit on nothing": (
        {"reasoning": {"effort": "none", "max_steps": 3}},
        "reasoning.max_steps",
        ("no effect",),
    ),
    "another format": ({"text": {"format": {"type": "yaml"}}}, "text.format", ("json_schema",)),
    "a format without a name": (
        {"text": {"format": {"type": "json_schema", "schema": {}}}},
        "text.format.name",
        ("missing",),
    ),
    "a schema with half a character": (
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"title": "\ud800"}}}},
        "text.format.schema.title",
        ("unicode",),
    ),
    "a short answer": ({"text": {"verbosity": "low"}}, "text.verbosity", ("'medium'",)),
    "truncation": ({"truncation": "auto"}, "truncation", ("'disabled'",)),
    "background that is not stored": ({"background": True, "store": False}, None, ("store",)),
    "options of no stream": ({"stream_options": {"include_obfuscation": False}}, None, ("stream",)),
    "obfuscation": (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "stream_options.include_obfuscation",
        (),
    ),
    "likeliest tokens of nothing": ({"top_logprobs": 2}, None, ("2", "message.output_text.logprobs")),
    "too many likeliest tokens": (
        {"top_logprobs": 21, "include": ["message.output_text.logprobs"]},
        "top_logprobs",
        ("20", "21"),
    ),
    "too much metadata": ({"metadata": {str(n): "" for n in range(17)}}, "metadata", ("16",)),
    "long metadata": ({"metadata": {"a": "b" * 513}}, "metadata.a", ("512",)),
    "half a character": ({"input": "\ud800"}, "input", ("unicode",)),
    "half a character as a name": ({"\ud800": 1}, None, ("unicode",)),
    "an unknown response before": (
        {"previous_response_id": "resp_unknown"},
        "previous_response_id",
        ("resp_unknown",),
    ),
}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step))


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_body_is_refused_by_name(served: Any, case: str) -> None:
    body, param, words = REFUSED[case]
    num_before = len(served.engine.requests)
    answer = httpx.post(
        f"{served.url}/v1/responses",
        content=json.dumps({"input": [ITEM]} | body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    for word in words:
        assert word in error["message"]
    assert "messages" not in error["message"].split()
    assert len(served.engine.requests) == num_before


BAD_QUERIES: dict[str, tuple[str | None, str]] = {
    "?starting_after=x&stream=true": ("starting_after", "integer"),
    "?starting_after=-1&stream=true": ("starting_after", "0"),
    "?starting_after=1": (None, "stream=true"),
    "?include[]=web_search_call.results": ("include[].0", "built-in"),
    "/input_items?include=message.output_text.logprobs": (None, "without"),
    "?include_obfuscation=true": ("include_obfuscation", "false"),
    "?verbose=1": ("verbose", "unknown"),
    "/input_items?limit=0": ("limit", "1"),
    "/input_items?limit=101": ("limit", "100"),
    "/input_items?order=up": ("order", "'asc'"),
    "/input_items?after=msg_unknown": ("after", "msg_unknown"),
}


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_bad_query_is_refused_by_name(served: Any, query: str) -> None:
    param, word = BAD_QUERIES[query]
    response = httpx.post(f"{served.url}/v1/responses", json={"input": "make 22"}).json()
    answer = httpx.get(f"{served.url}/v1/responses/{response['id']}{query}")
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] in (param, (param or "").removesuffix(".0") or None)
    assert word in error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items"), ("GET", "?stream=true")],
)
def test_an_unknown_response_is_not_found(served: Any, method: str, path: str) -> None:
    answer = httpx.request(method, f"{served.url}/v1/responses/resp_unknown{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "response_not_found"


def test_to_another_key_it_does_not_exist(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), api_key=["sk-of-ann-0001", "sk-of-bob-0001"])
    ann, bob = ({"Authorization": f"Bearer {key}"} for key in ("sk-of-ann-0001", "sk-of-bob-0001"))
    url = f"{served.url}/v1/responses"
    response_id = httpx.post(url, json={"input": "make 22"}, headers=ann).json()["id"]
    assert httpx.get(f"{url}/{response_id}", headers=ann).status_code == 200
    assert httpx.get(f"{url}/{response_id}", headers=bob).status_code == 404
    assert httpx.delete(f"{url}/{response_id}", headers=bob).status_code == 404
    body = {"input": "make 4", "previous_response_id": response_id}
    named = httpx.post(url, json=body, headers=bob)
    assert named.status_code == 400
    assert named.json()["error"]["code"] == "previous_response_not_found"
    assert httpx.post(url, json=body, headers=ann).status_code == 200
