"""Items of the Responses API that come back: by reference, sealed, and with what clients add to them."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from steiner.reasoning.parser.tool_calls import call_text
from steiner.server.access.keys import hash_key

ALICE, BOB = "sk-alice", "sk-bob"
KEYS = [{"name": "alice", "sha256": hash_key(ALICE)}, {"name": "bob", "sha256": hash_key(BOB)}]
SECRET, OTHER = "s" * 32, "o" * 32
QUESTION: dict[str, Any] = {"role": "user", "content": "make 22 from 15 4 11"}
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
SEALED = ["reasoning.encrypted_content"]
FIRST_REQUEST: dict[str, int] = {}
"""Number of the first request to the engine that the last response of each server made."""


def post(served: Any, key: str = ALICE, **fields: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    body = {"input": [QUESTION], "tools": [TOOL]} | fields
    FIRST_REQUEST[served.url] = len(served.engine.requests)
    return httpx.post(f"{served.url}/v1/responses", json=body, headers=headers)


def ask(served: Any, key: str = ALICE, **fields: Any) -> dict[str, Any]:
    answer = post(served, key, **fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def get(served: Any, path: str) -> httpx.Response:
    return httpx.get(f"{served.url}/v1/responses/{path}", headers={"Authorization": f"Bearer {ALICE}"})


def refused(answer: httpx.Response, param: str) -> str:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    return str(error["message"])


def prompt_of(served: Any) -> list[int]:
    """Of the last response, before the first of its tokens."""
    return list(served.engine.requests[FIRST_REQUEST[served.url]].prompt_ids)


@pytest.fixture(scope="module")
def script(stage: Any) -> list[str]:
    """Three steps, one refuted, and a call; then three steps and an answer, for ever."""
    reasoning = stage.with_backtrack.split("<end>")[0] + "<end>"
    return [reasoning, f"{call_text('look', {})}<eot>", *[reasoning, "make 22<eot>"] * 8]


@pytest.fixture
def served(stage: Any, serve: Any, script: list[str]) -> Any:
    return serve(stage.engine(*script, per_update=8), api_keys=KEYS, reasoning_seal_key=[SECRET])


def references(items: list[Any]) -> list[dict[str, Any]]:
    return [{"type": "item_reference", "id": item["id"]} for item in items]


def output_for(items: list[Any]) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": items[-1]["call_id"], "output": "5"}


def test_references_say_what_the_stored_items_do(served: Any, stage: Any) -> None:
    first = ask(served)
    answer = output_for(first["output"])
    ask(served, input=[answer], previous_response_id=first["id"])
    continued = prompt_of(served)
    assert [stage.tokenizer.decode(continued).count(f"left {number}") for number in (1, 2, 3)] == [1, 0, 1]
    second = ask(served, input=[QUESTION, *references(first["output"]), answer])
    assert prompt_of(served) == continued
    # The id alone is a reference, too; what was referred to is found again behind the response that it is part of.
    [short] = [{"id": item["id"]} for item in second["output"][-1:]]
    history = [QUESTION, *references(first["output"]), answer, *references(second["output"][:-1]), short]
    ask(served, input=[*history, QUESTION])
    by_reference = prompt_of(served)
    ask(served, input=[QUESTION], previous_response_id=second["id"])
    assert prompt_of(served) == by_reference


def test_what_was_sent_can_be_referred_to(served: Any) -> None:
    first = ask(served)
    answer = output_for(first["output"])
    second = ask(served, input=[answer, QUESTION], previous_response_id=first["id"])
    listed = get(served, f"{second['id']}/input_items?order=asc").json()["data"]
    assert [item["type"] for item in listed] == [
        "message", "reasoning", "reasoning", "function_call", "function_call_output", "message"
    ]  # fmt: skip
    expected = prompt_of(served)
    ask(served, input=references(listed))
    assert prompt_of(served) == expected


def test_what_is_there_already_is_not_said_twice(served: Any) -> None:
    first = ask(served)
    answer = output_for(first["output"])
    ask(served, input=[answer], previous_response_id=first["id"])
    expected = prompt_of(served)
    ask(served, input=[*references(first["output"]), answer], previous_response_id=first["id"])
    assert prompt_of(served) == expected
    again = references(first["output"])
    ask(served, input=[QUESTION, *again, *again, answer])
    assert prompt_of(served) == expected


def test_what_is_not_there_is_named(served: Any) -> None:
    first = ask(served)
    [*_, call] = first["output"]
    unkept = ask(served, store=False)
    cases = [call["id"], unkept["output"][0]["id"], "rs_1", f"rs_{'0' * 32}_1", f"{call['id']}9", "x" * 500]
    for item_id, key in zip(cases, [BOB, *[ALICE] * 5], strict=True):
        given = [QUESTION, {"type": "item_reference", "id": item_id}]
        message = refused(post(served, key, input=given), "input.1.id")
        assert item_id[:80] in message
        assert len(message) < 400
    deleted = httpx.delete(
        f"{served.url}/v1/responses/{first['id']}", headers={"Authorization": f"Bearer {ALICE}"}
    )
    assert deleted.status_code == 200
    gone = [QUESTION, {"type": "item_reference", "id": call["id"]}]
    assert post(served, input=gone).json()["error"]["code"] == "item_not_found"


def test_an_item_that_still_grows_cannot_be_referred_to(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}<proceed><step_start>", holds=True))
    running = httpx.post(f"{served.url}/v1/responses", json={"input": "a", "background": True}).json()

    def steps() -> list[Any]:
        items: list[Any] = httpx.get(f"{served.url}/v1/responses/{running['id']}").json()["output"]
        return items

    eventually(lambda: len(steps()) == 2)
    whole, open_ = references(steps())
    url = f"{served.url}/v1/responses"
    answer = httpx.post(url, json={"input": [whole, open_, QUESTION]})
    assert "not finished" in refused(answer, "input.1.id")
    httpx.post(f"{url}/{running['id']}/cancel")


def test_sealed_steps_say_what_plain_ones_do(served: Any) -> None:
    first = ask(served, include=SEALED, store=False)
    *steps, call = first["output"]
    assert [item["type"] for item in steps] == ["reasoning"] * 3
    assert "encrypted_content" not in call
    answer = output_for(first["output"])
    ask(served, input=[QUESTION, *steps, call, answer])
    expected = prompt_of(served)
    bare = [
        {"type": "reasoning", "summary": [], "encrypted_content": step["encrypted_content"]} for step in steps
    ]
    second = ask(served, input=[QUESTION, *bare, call, answer], include=SEALED, store=False)
    assert prompt_of(served) == expected
    # What was changed beside it says nothing.
    lied = [step | {"step": steps[0]["step"], "summary": []} for step in steps]
    ask(served, input=[QUESTION, *lied, call, answer])
    assert prompt_of(served) == expected
    assert all("encrypted_content" in item for item in second["output"][:-1])
    # A summary alone adds nothing.
    ask(served, input=[QUESTION, call, answer])
    without = prompt_of(served)
    summaries = [
        {"type": "reasoning", "summary": step["summary"], "encrypted_content": None} for step in steps
    ]
    ask(served, input=[QUESTION, *summaries, call, answer])
    assert prompt_of(served) == without != expected


def test_each_form_of_a_response_seals_the_same(served: Any) -> None:
    first = ask(served, include=SEALED)
    assert get(served, first["id"]).json() == first
    assert "encrypted_content" not in json.dumps(ask(served))
    streams = [get(served, f"{first['id']}?stream=true").text for _ in range(2)]
    assert streams[0] == streams[1]
    events = [json.loads(line[6:]) for line in streams[0].splitlines() if line.startswith("data: ")]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == first["output"] == events[-1]["response"]["output"]
    plain = ask(served)
    assert get(served, f"{plain['id']}?include[]={SEALED[0]}").json()["output"][0]["encrypted_content"]
    third = ask(served, input=[QUESTION], previous_response_id=plain["id"])
    listed = get(served, f"{third['id']}/input_items?include={SEALED[0]}").json()["data"]
    assert sum("encrypted_content" in item for item in listed) == 2


def test_a_seal_is_of_one_key_and_cannot_be_forged(served: Any) -> None:
    [step, *_] = ask(served, include=SEALED)["output"]
    text = step["encrypted_content"]
    sealed = base64.urlsafe_b64decode(text)
    altered = [
        base64.urlsafe_b64encode(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        for at in (0, 20, -1)
    ]
    forged = ["x", "gAAAAA==", "é", text[:-4], text + "AAAA", f"{text} ", text.rstrip("=") + "=" * 5]
    forged += [one.decode() for one in altered]
    for one in forged:
        given = [QUESTION, step | {"encrypted_content": one}]
        assert "sealed" in refused(post(served, input=given), "input.1.encrypted_content")
    given = [QUESTION, {"type": "reasoning", "summary": [], "encrypted_content": text}]
    refused(post(served, BOB, input=given), "input.1.encrypted_content")
    assert ask(served, input=given)["status"] == "completed"


def test_keys_can_be_shared_and_changed(stage: Any, serve: Any, script: list[str]) -> None:
    def start(*secrets: str) -> Any:
        return serve(stage.engine(*script), api_keys=KEYS, reasoning_seal_key=list(secrets))

    old, replica, changed, other, unset = (
        start(SECRET),
        start(SECRET),
        start(OTHER, SECRET),
        start(OTHER),
        start(),
    )
    [step, *_] = ask(old, include=SEALED)["output"]
    given = [QUESTION, {"type": "reasoning", "summary": [], "encrypted_content": step["encrypted_content"]}]
    for served in (replica, changed):
        assert ask(served, input=given)["status"] == "completed"
    for served in (other, unset):
        refused(post(served, input=given), "input.1.encrypted_content")
    # The first key seals.
    [newer, *_] = ask(changed, include=SEALED)["output"]
    given = [QUESTION, {"type": "reasoning", "summary": [], "encrypted_content": newer["encrypted_content"]}]
    assert ask(other, input=given)["status"] == "completed"


NOTES: dict[str, dict[str, Any]] = {
    "reasoning": {"content": None, "status": None, "encrypted_content": None, "created_by": "x"},
    "message": {"phase": "final_answer", "parsed": None, "end_turn": True},
    "function_call": {"parsed_arguments": {}, "namespace": None, "async": False, "caller": None},
}
NOTES_IN_A_PART = {"parsed": {"found": True}, "annotations": [{"type": "url_citation"}], "logprobs": None}


def test_notes_in_items_say_nothing(served: Any) -> None:
    first = ask(served)
    answer = output_for(first["output"])
    second = ask(served, input=[answer], previous_response_id=first["id"])
    items = [QUESTION, *first["output"], answer, *second["output"], QUESTION]
    ask(served, input=items)
    plain = prompt_of(served)
    noted: list[Any] = [item | NOTES.get(item.get("type", ""), {}) for item in items]
    for item in noted:
        if item.get("type") == "message":
            item["content"] = [part | NOTES_IN_A_PART for part in item["content"]]
        if item.get("type") == "function_call_output":
            item |= {"status": None, "name": "look", "output": [{"type": "input_text", "text": "5"}]}
    ask(served, input=noted)
    assert prompt_of(served) == plain


@pytest.mark.parametrize("arguments", ["", "{", '{"at": "x', "[1]", "5"])
@pytest.mark.parametrize("answered", [True, False])
def test_a_call_that_was_cut_off_goes_on(served: Any, stage: Any, arguments: str, answered: bool) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": arguments}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "cut off"}
    ask(served, input=[QUESTION, call, *([output] if answered else []), QUESTION])
    assert f'"name": "look", "arguments": {arguments or "{}"}}}' in stage.tokenizer.decode(prompt_of(served))


def test_a_response_that_ended_in_a_call_can_be_continued(stage: Any, serve: Any) -> None:
    reasoning = stage.one_step.split("<end>")[0] + "<end>"
    call = call_text("look", {"at": 123})
    engine = stage.engine(reasoning, f"{call}<eot>", stage.one_step)
    limit = len(engine.scripts[0].token_ids) + len(stage.ids_of(call.split("23")[0]))
    served = serve(engine)
    first = ask(served, max_output_tokens=limit)
    assert [(item["type"], item["status"]) for item in first["output"]][-1] == ("function_call", "incomplete")
    ask(served, previous_response_id=first["id"])
    continued = prompt_of(served)
    assert '"arguments": {"at": 1' in stage.tokenizer.decode(continued)
    ask(served, input=[QUESTION, *references(first["output"]), QUESTION])
    assert prompt_of(served) == continued
    ask(served, input=[QUESTION, *first["output"], QUESTION])
    assert prompt_of(served) == continued
