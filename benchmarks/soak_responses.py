"""The Responses API in a soak: streams, background, resumption by number, polling, cancelling."""

import asyncio
import random
from typing import Any

import httpx
from soak_ledger import Broken
from soak_scenarios import Clients, Scenario
from soak_streams import ResponseReader

RESPONSES = "/v1/responses"
UNFINISHED = ("queued", "in_progress")


def response_body(clients: Clients, rng: random.Random, **fields: Any) -> dict[str, Any]:
    """A short generation in this dialect."""
    body = clients.body(rng)
    body["input"] = body.pop("messages")
    body["max_output_tokens"] = body.pop("max_completion_tokens")
    return body | fields


async def responses_read(clients: Clients, rng: random.Random) -> None:
    """Stream to the end, and retrieve it."""
    reader = await _begin(clients, response_body(clients, rng, stream=True), leave_after=None)
    await _retrieve_ended(clients, reader)
    clients.saw("responses", reader)


async def responses_whole(clients: Clients, rng: random.Random) -> None:
    """One object; at times not kept."""
    body = response_body(clients, rng, store=rng.random() < 0.7)
    answer = await clients.usual.post(RESPONSES, json=body)
    clients.begun("responses", answer)
    reader = ResponseReader()
    reader.take_ending(answer.json())
    clients.saw("responses", reader)


async def responses_leave(clients: Clients, rng: random.Random) -> None:
    """Hang up on one in the foreground; it must end by itself, as cancelled or done, and be there to retrieve."""
    body = response_body(clients, rng, stream=True)
    reader = await _begin(clients, body, leave_after=rng.randint(1, 10))
    if reader.outcome is None:
        reader.take_ending(await _ended(clients, reader.id))
    clients.saw("responses", reader)


async def responses_resume(clients: Clients, rng: random.Random) -> None:
    """Hang up on one in the background again and again, and come back with `starting_after`."""
    body = response_body(clients, rng, stream=True, background=True)
    reader = await _begin(clients, body, leave_after=rng.randint(1, 8))
    while reader.outcome is None:
        await asyncio.sleep(rng.uniform(0, 0.02))
        await _resume(clients, reader, leave_after=rng.randint(1, 16))
    await _retrieve_ended(clients, reader)
    clients.saw("responses", reader)


async def responses_cancel(clients: Clients, rng: random.Random) -> None:
    """Cancel one in the background while it runs, read its stream to the end, and delete it."""
    answer = await clients.usual.post(RESPONSES, json=response_body(clients, rng, background=True))
    clients.begun("responses", answer)
    reader = ResponseReader()
    reader.id = answer.json()["id"]
    await asyncio.sleep(rng.uniform(0, 0.05))
    cancelled = await clients.usual.post(f"{RESPONSES}/{reader.id}/cancel")
    if cancelled.status_code != 200 or cancelled.json()["status"] in UNFINISHED:
        raise Broken(f"{reader.id}: cancelling gave {cancelled.status_code} {cancelled.text[:200]}")
    await _resume(clients, reader)
    await _retrieve_ended(clients, reader)
    clients.saw("responses", reader)
    if (deleted := await clients.usual.delete(f"{RESPONSES}/{reader.id}")).status_code != 200:
        raise Broken(f"{reader.id}: deleting gave {deleted.status_code}")
    if (gone := await clients.usual.get(f"{RESPONSES}/{reader.id}")).status_code != 404:
        raise Broken(f"{reader.id}: {gone.status_code} after it was deleted")


async def _begin(clients: Clients, body: dict[str, Any], leave_after: int | None) -> ResponseReader:
    reader = ResponseReader()
    async with clients.usual.stream("POST", RESPONSES, json=body) as response:
        clients.begun("responses", response)
        await reader.follow(response, leave_after=leave_after)
    return reader


async def _resume(clients: Clients, reader: ResponseReader, leave_after: int | None = None) -> None:
    query: dict[str, Any] = {"stream": "true"}
    if reader.num_taken:
        query["starting_after"] = reader.num_taken - 1
    async with clients.usual.stream("GET", f"{RESPONSES}/{reader.id}", params=query) as response:
        if response.status_code != 200:
            raise Broken(f"{reader.id}: resuming after {reader.num_taken - 1} gave {response.status_code}")
        await reader.follow(response, leave_after=leave_after)
    if leave_after is None:
        reader.require_end()


async def _ended(clients: Clients, response_id: str | None) -> dict[str, Any]:
    while (body := await _retrieved(clients.usual, response_id))["status"] in UNFINISHED:
        await asyncio.sleep(0.02)
    return body


async def _retrieve_ended(clients: Clients, reader: ResponseReader) -> None:
    """What is retrieved must be what the stream ended with."""
    again = ResponseReader()
    again.take_ending(await _ended(clients, reader.id))
    if (again.outcome, again.completion_tokens) != (reader.outcome, reader.completion_tokens):
        raise Broken(f"{reader.id}: streamed {reader.outcome}, retrieved {again.outcome}")


async def _retrieved(client: httpx.AsyncClient, response_id: str | None) -> dict[str, Any]:
    response = await client.get(f"{RESPONSES}/{response_id}")
    if response.status_code != 200:
        raise Broken(f"{response_id}: retrieving gave {response.status_code}")
    body: dict[str, Any] = response.json()
    return body


#: By name, with how often each is played.
RESPONSE_SCENARIOS: dict[Scenario, int] = {
    responses_read: 3,
    responses_whole: 2,
    responses_leave: 2,
    responses_resume: 3,
    responses_cancel: 2,
}
CALM_RESPONSES: dict[Scenario, int] = {responses_read: 1, responses_whole: 1}
