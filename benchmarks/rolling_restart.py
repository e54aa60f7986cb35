"""Restarts every replica in turn while clients keep asking: no request that was taken may be lost.

    python benchmarks/rolling_restart.py [--replicas 3] [--clients 24] [--rounds 2]

Servers over a scripted engine, one Redis, nginx with deploy/'s files. Clients stream steps and chat, wait for whole
answers, and leave step streams to resume them, at whatever replica nginx gives them to. A restart is what Kubernetes
does: SIGTERM, drain, a new process on the same address. A step stream whose connection breaks is resumed, as every
client may, and counted; a chat stream cannot be. The exit status is 1 if a request was lost: answered by nothing, cut
in the middle, or ended otherwise than in `done`.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from replicas import Replicas
from soak_ledger import Broken
from soak_streams import ChunkReader, StepReader

#: Generations of one to a few seconds.
OPTIONS = ["--pace-ms", "25", "--steps", "1", "2", "4", "8", "16"]
CHAT = "/v1/chat/completions"
REASONING = "/v1/reasoning"
#: Between two restarts: as long as a new replica needs to be found.
PAUSE_S = 1.0
#: What a client waits before it asks again.
RETRY_S = 0.5
RESUMES = 6


@dataclass(slots=True)
class Tally:
    """What clients saw and what restarting took."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    num_broken: int = 0
    drains_s: list[float] = field(default_factory=list)
    exit_codes: Counter[int] = field(default_factory=Counter)


class Refused(Exception):
    """An answer other than 200: the client knows, and may ask again."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


Client = Callable[[httpx.AsyncClient, random.Random], Awaitable[int]]
"""Plays one request; gives the connections of it that broke and were resumed."""


def body(rng: random.Random, **fields: Any) -> dict[str, Any]:
    """A request of its own."""
    text = f"make {rng.randint(10, 99)} from {rng.randint(1, 99)} {rng.randint(1, 99)}"
    return {"messages": [{"role": "user", "content": text}]} | fields


def taken(response: httpx.Response) -> None:
    """Raises Refused unless the request was taken."""
    if response.status_code != 200:
        raise Refused(response.status_code)


async def steps(client: httpx.AsyncClient, rng: random.Random) -> int:
    """A step stream, read to its end."""
    return await _read_steps(client, rng, leave_after=None)


async def left_steps(client: httpx.AsyncClient, rng: random.Random) -> int:
    """One that is left in the middle, and resumed at whatever replica it comes to."""
    return await _read_steps(client, rng, leave_after=rng.randint(2, 12))


async def _read_steps(client: httpx.AsyncClient, rng: random.Random, leave_after: int | None) -> int:
    reader, num_broken = StepReader(), 0
    try:
        async with client.stream("POST", REASONING, json=body(rng)) as response:
            taken(response)
            await reader.follow(response, leave_after=leave_after)
    except httpx.TransportError:
        if reader.id is None:
            raise
        num_broken += 1
    for _ in range(RESUMES):
        if reader.outcome is not None:
            break
        num_broken += await _resume(client, reader)
    require_done(reader)
    return num_broken


async def _resume(client: httpx.AsyncClient, reader: StepReader) -> int:
    """One more connection, as Steiner's own client makes it; gives 1 if it ends before the stream does."""
    headers = {"Last-Event-ID": str(reader.num_taken)}
    try:
        async with client.stream("GET", f"{REASONING}/{reader.id}/events", headers=headers) as response:
            if response.status_code == 200:
                await reader.follow(response)
    except httpx.TransportError:
        pass
    if reader.outcome is None:
        # A moment after it began another replica need not have heard of it.
        await asyncio.sleep(RETRY_S)
        return 1
    return 0


async def chunks(client: httpx.AsyncClient, rng: random.Random) -> int:
    """Chat, streamed."""
    reader = ChunkReader()
    asked = body(rng, stream=True, stream_options={"include_usage": True})
    async with client.stream("POST", CHAT, json=asked) as response:
        taken(response)
        await reader.follow(response)
    require_done(reader)
    return 0


async def whole(client: httpx.AsyncClient, rng: random.Random) -> int:
    """Chat in one answer."""
    response = await client.post(CHAT, json=body(rng))
    taken(response)
    if response.json()["choices"][0]["finish_reason"] not in ("stop", "length"):
        raise Broken("a whole answer without an ending")
    return 0


def require_done(reader: StepReader | ChunkReader) -> None:
    """Raises Broken for another ending, or none."""
    reader.require_end()
    if reader.outcome != "done":
        raise Broken(f"{reader.id} ended in {reader.outcome}")


CLIENTS: tuple[Client, ...] = (steps, left_steps, chunks, whole)


async def ask_until(over: asyncio.Event, replicas: Replicas, number: int, tally: Tally) -> None:
    """One client: a request after the other, until it is over."""
    rng = random.Random(number)
    async with httpx.AsyncClient(base_url=replicas.url, verify=replicas.trust, timeout=60) as client:
        while not over.is_set():
            play = rng.choice(CLIENTS)
            try:
                tally.num_broken += await play(client, rng)
                tally.done[play.__name__] += 1
            except Refused as refused:
                tally.refused[refused.status] += 1
                await asyncio.sleep(RETRY_S)
            except (Broken, httpx.HTTPError) as error:
                tally.lost.append(f"{play.__name__}: {type(error).__name__} {error}")


async def storm(replicas: Replicas, num_clients: int, rounds: int) -> Tally:
    """Load, and every replica restarted as often as there are rounds."""
    tally, over = Tally(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(num_clients):
            group.create_task(ask_until(over, replicas, number, tally))
        for server in replicas.servers * rounds:
            await asyncio.sleep(PAUSE_S)
            begin_s = time.monotonic()
            tally.exit_codes[await asyncio.to_thread(server.end, signal.SIGTERM)] += 1
            tally.drains_s.append(time.monotonic() - begin_s)
            await asyncio.to_thread(server.start)
        await asyncio.sleep(PAUSE_S)
        over.set()
    return tally


def report(tally: Tally, duration_s: float) -> None:
    """Figures as a table, and what went wrong."""
    print("| requests | done | refused | lost | resumed | restarts | drain, longest | time |")
    print("|---|---|---|---|---|---|---|---|")
    done, refused, lost = tally.done.total(), tally.refused.total(), len(tally.lost)
    print(
        f"| {done + refused + lost} | {done} | {refused} | {lost} | {tally.num_broken} | {len(tally.drains_s)} "
        f"| {max(tally.drains_s):.1f} s | {duration_s:.0f} s |"
    )
    print(", ".join(f"{number} {name}" for name, number in sorted(tally.done.items())))
    for line in tally.lost:
        print(f"LOST: {line}", file=sys.stderr)
    for status, number in tally.refused.items():
        print(f"refused: {number} times {status}", file=sys.stderr)


def main() -> int:
    """Start, restart, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="steiner-restart-") as folder,
        Replicas(arguments.replicas, Path(folder), OPTIONS) as replicas,
    ):
        begin_s = time.monotonic()
        tally = asyncio.run(storm(replicas, arguments.clients, arguments.rounds))
        report(tally, time.monotonic() - begin_s)
    if set(tally.exit_codes) != {0}:
        print(f"exit codes: {dict(tally.exit_codes)}", file=sys.stderr)
    return 1 if tally.lost or set(tally.exit_codes) != {0} else 0


if __name__ == "__main__":
    sys.exit(main())
