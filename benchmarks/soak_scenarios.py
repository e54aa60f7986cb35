"""What clients do to a server in a soak: they read, leave, come back, cancel, read slowly, and send nonsense."""

import asyncio
import json
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from soak_ledger import Broken, Ledger
from soak_streams import ChunkReader, StepReader

#: A receive buffer that a slow reader fills at once, so that the server feels it.
SMALL_BUFFER = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)]
CHAT = "/v1/chat/completions"
REASONING = "/v1/reasoning"
POLICIES: list[dict[str, Any]] = [
    {}, {"max_steps": 1}, {"max_steps": 3, "max_backtracks": 1}, {"max_reasoning_tokens": 0},
    {"max_reasoning_tokens": 40}, {"constrained": False},
]  # fmt: skip
MOST_TOKENS = 160


@dataclass(frozen=True, slots=True)
class Clients:
    """Connections to one server, and where to write down what they saw."""

    model: str
    usual: httpx.AsyncClient
    slow: httpx.AsyncClient
    ledger: Ledger

    def body(self, rng: random.Random, **fields: Any) -> dict[str, Any]:
        """A short generation; its prompt is its own."""
        numbers = " ".join(str(rng.randint(1, 20)) for _ in range(3))
        text = f"make {rng.randint(10, 99)} from {numbers}"
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "max_completion_tokens": rng.randint(8, MOST_TOKENS),
            "temperature": 1.0,
            "seed": rng.randrange(1 << 30),
            "reasoning": rng.choice(POLICIES),
        } | fields

    def chat_body(self, rng: random.Random) -> dict[str, Any]:
        """The same, to be streamed as chat."""
        return self.body(rng, stream=True, stream_options={"include_usage": True})

    def saw(self, endpoint: str, reader: Any) -> None:
        """Write down an ending."""
        reader.require_end()
        self.ledger.ended(endpoint, reader.outcome, reader.completion_tokens, reader.reasoning_tokens)

    def begun(self, endpoint: str, response: httpx.Response) -> None:
        """Write down a generation.

        Raises:
            Broken: it was refused.
        """
        if response.status_code != 200:
            raise Broken(f"{endpoint}: {response.status_code} for a good request")
        self.ledger.started[endpoint] += 1

    def unseen(self, body: dict[str, Any]) -> None:
        """Write down that nobody will hear the usage of this generation."""
        self.ledger.unseen_tokens += body["max_completion_tokens"]


Scenario = Callable[[Clients, random.Random], Awaitable[None]]


async def chat_read(clients: Clients, rng: random.Random) -> None:
    """Stream to the end."""
    await _stream_chat(clients.usual, clients, rng)


async def chat_read_slowly(clients: Clients, rng: random.Random) -> None:
    """The same with a small buffer and pauses."""
    await _stream_chat(clients.slow, clients, rng, pause_s=0.01)


async def _stream_chat(
    client: httpx.AsyncClient, clients: Clients, rng: random.Random, pause_s: float = 0.0
) -> None:
    reader = ChunkReader()
    async with client.stream("POST", CHAT, json=clients.chat_body(rng)) as response:
        clients.begun("chat", response)
        await reader.follow(response, pause_s=pause_s)
    clients.saw("chat", reader)


async def chat_leave(clients: Clients, rng: random.Random) -> None:
    """Hang up in the middle of the stream."""
    body, reader = clients.chat_body(rng), ChunkReader()
    async with clients.usual.stream("POST", CHAT, json=body) as response:
        clients.begun("chat", response)
        await reader.follow(response, leave_after=rng.randint(1, 12))
    if reader.outcome is None:
        clients.unseen(body)
    else:
        clients.saw("chat", reader)


async def chat_whole(clients: Clients, rng: random.Random) -> None:
    """One answer."""
    response = await clients.usual.post(CHAT, json=clients.body(rng))
    clients.begun("chat", response)
    answer, reader = response.json(), ChunkReader()
    if answer["choices"][0]["finish_reason"] not in ("stop", "length"):
        raise Broken(f"{answer['id']}: finish_reason {answer['choices'][0]['finish_reason']}")
    reader.take_usage(answer["usage"])
    reader.outcome = "done"
    clients.saw("chat", reader)


async def chat_give_up(clients: Clients, rng: random.Random) -> None:
    """Hang up while waiting for a whole answer."""
    body = clients.body(rng)
    try:
        response = await clients.usual.post(CHAT, json=body, timeout=rng.uniform(0.001, 0.05))
    except httpx.TimeoutException:
        clients.ledger.uncertain["chat"] += 1
    else:
        clients.begun("chat", response)
    clients.unseen(body)


async def steps_read(clients: Clients, rng: random.Random) -> None:
    """The step stream to the end."""
    await _read_steps(clients, await _begin_steps(clients, clients.usual, rng, leave_after=None))


async def steps_resume(clients: Clients, rng: random.Random) -> None:
    """Hang up again and again, and come back with `Last-Event-ID`."""
    reader = await _begin_steps(clients, clients.usual, rng, leave_after=rng.randint(1, 6))
    while reader.outcome is None:
        await asyncio.sleep(rng.uniform(0, 0.02))
        await _resume(clients.usual, reader, leave_after=rng.randint(1, 12))
    await _read_steps(clients, reader)


async def steps_read_slowly(clients: Clients, rng: random.Random) -> None:
    """A slow reader beside a usual one; both see the same bytes."""
    slow = await _begin_steps(clients, clients.slow, rng, leave_after=1)
    beside = StepReader()
    beside.id = slow.id
    await asyncio.gather(_resume(clients.slow, slow, pause_s=0.01), _resume(clients.usual, beside))
    if slow.events != beside.events:
        raise Broken(f"{slow.id}: two readers saw different events")
    await _read_steps(clients, slow)


async def steps_leave(clients: Clients, rng: random.Random) -> None:
    """Hang up, and look at the trace until it is there; the events are then read from the start."""
    left = await _begin_steps(clients, clients.usual, rng, leave_after=rng.randint(1, 6))
    while (trace := await _trace(clients, left.id))["finish_reason"] is None:
        await asyncio.sleep(0.02)
    reader = StepReader()
    reader.id = left.id
    await _resume(clients.usual, reader)
    if reader.events[: len(left.events)] != left.events:
        raise Broken(f"{left.id}: the events read again are not those that were read")
    if trace["num_reasoning_tokens"] != reader.reasoning_tokens:
        raise Broken(f"{left.id}: trace and usage differ")
    await _read_steps(clients, reader)


async def steps_cancel(clients: Clients, rng: random.Random) -> None:
    """DELETE while it runs, at times twice at once; then it is read, and removed."""
    reader = await _begin_steps(clients, clients.usual, rng, leave_after=rng.randint(1, 8))
    path = f"{REASONING}/{reader.id}"
    twice = rng.random() < 0.3 and reader.outcome is None
    answers = await asyncio.gather(*(clients.usual.delete(path) for _ in range(1 + twice)))
    # Of two, one may find it cancelled, and so removes it.
    if {answer.status_code for answer in answers} - {204, 404}:
        raise Broken(f"{reader.id}: DELETE answered {[answer.status_code for answer in answers]}")
    if reader.outcome is None:
        await _resume(clients.usual, reader, gone_is_fine=True)
    if reader.outcome is None:
        clients.ledger.unseen_tokens += MOST_TOKENS
        return
    await clients.usual.delete(path)
    if (gone := await clients.usual.get(path)).status_code != 404:
        raise Broken(f"{reader.id}: {gone.status_code} after it was removed")
    await _read_steps(clients, reader)


async def _begin_steps(
    clients: Clients, client: httpx.AsyncClient, rng: random.Random, leave_after: int | None
) -> StepReader:
    reader = StepReader()
    async with client.stream("POST", REASONING, json=clients.body(rng)) as response:
        clients.begun("reasoning", response)
        await reader.follow(response, leave_after=leave_after)
    return reader


async def _resume(
    client: httpx.AsyncClient,
    reader: StepReader,
    *,
    leave_after: int | None = None,
    pause_s: float = 0.0,
    gone_is_fine: bool = False,
) -> None:
    headers = {"Last-Event-ID": str(len(reader.events))}
    async with client.stream("GET", f"{REASONING}/{reader.id}/events", headers=headers) as response:
        if response.status_code == 404 and gone_is_fine:
            return
        if response.status_code != 200:
            raise Broken(f"{reader.id}: resuming after {len(reader.events)} gave {response.status_code}")
        await reader.follow(response, leave_after=leave_after, pause_s=pause_s)


async def _read_steps(clients: Clients, reader: StepReader) -> None:
    clients.saw("reasoning", reader)


async def _trace(clients: Clients, generation_id: str | None) -> dict[str, Any]:
    response = await clients.usual.get(f"{REASONING}/{generation_id}")
    if response.status_code != 200:
        raise Broken(f"{generation_id}: its trace gave {response.status_code}")
    trace: dict[str, Any] = response.json()
    return trace


async def nonsense(clients: Clients, rng: random.Random) -> None:
    """A request that is refused, in OpenAI's shape and without a 500."""
    good = clients.body(rng)
    path = rng.choice([CHAT, REASONING])
    bad: list[dict[str, Any]] = [
        good | {"max_completion_tokens": -1}, good | {"temperature": 3}, good | {"no_such_field": 1},
        good | {"messages": []}, good | {"max_completion_tokens": 10**9}, good | {"model": "nobody"},
        good | {"reasoning": {"max_steps": 0}}, good | {"reasoning": {"min_steps": 5, "max_steps": 2}},
        good | {"messages": [{"role": "user", "content": "x" * 20_000}]},
    ]  # fmt: skip
    requests: list[tuple[str, str, dict[str, Any]]] = [
        *(("POST", path, {"json": body}) for body in bad),
        ("POST", path, {"content": b'{"messages": [', "headers": {"Content-Type": "application/json"}}),
        ("GET", f"{REASONING}/rsn_none", {}),
        ("GET", f"{REASONING}/rsn_none/events", {"headers": {"Last-Event-ID": "x"}}),
        ("DELETE", f"{REASONING}/rsn_none", {}),
    ]
    method, path, arguments = rng.choice(requests)
    response = await clients.usual.request(method, path, **arguments)
    clients.ledger.refusals[response.status_code] += 1
    if not 400 <= response.status_code < 500 or "message" not in response.json()["error"]:
        raise Broken(f"{method} {path} {str(arguments)[:200]}: {response.status_code} {response.text[:200]}")


async def half_a_request(clients: Clients, rng: random.Random) -> None:
    """Hang up before the body is whole; nothing begins."""
    payload = json.dumps(clients.body(rng)).encode()
    parts = urlsplit(str(clients.usual.base_url))
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST {REASONING} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode())
    writer.write(payload[: rng.randrange(len(payload))])
    await writer.drain()
    await asyncio.sleep(rng.uniform(0, 0.02))
    writer.close()
    await writer.wait_closed()
    clients.ledger.refusals[0] += 1


#: By name, with how often each is played; those that begin no generation come on top of the number asked for.
SCENARIOS: dict[Scenario, int] = {
    chat_read: 4, chat_read_slowly: 1, chat_leave: 4, chat_whole: 3, chat_give_up: 2,
    steps_read: 3, steps_resume: 4, steps_read_slowly: 1, steps_leave: 2, steps_cancel: 3,
}  # fmt: skip
WITHOUT_GENERATION: dict[Scenario, int] = {nonsense: 4, half_a_request: 1}
#: Those whose usage is always seen.
CALM: dict[Scenario, int] = {chat_read: 1, chat_whole: 1, steps_read: 1}
