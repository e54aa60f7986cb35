"""Streaming chat requests at a fixed concurrency, from a process of its own that costs as little as it can.

    python benchmarks/chat_load.py < job.json      # fields of `Job`; prints those of `Run`

It speaks HTTP/1.1 through asyncio's protocols and looks at the bytes without parsing them: a client library
would take more time for each chunk than the servers that it is to measure.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from processes import cpu_seconds

#: A chunk that carries sampled text: one of these fields, with something in it.
TEXT = re.compile(rb'"(?:content|reasoning|reasoning_content)":"[^"]|"reasoning_step":\{')
#: Reads that are kept of a stream, to find its usage in.
TAIL_READS = 8


class LoadError(Exception):
    """A request of the load failed."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to send.

    Attributes:
        body: of every request; its first message is numbered, so that no two prompts are the same.
        front_end_pid: process whose CPU time is charged with the tokens.
        cpus: where the load itself may run; none leaves it to the system.
        texts: what the user says in each request, in turn, in place of the body's numbered message.
    """

    url: str
    body: dict[str, Any]
    concurrency: int
    num_requests: int
    front_end_pid: int
    cpus: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. Percentiles are over all requests, or over all gaps in all streams.

    Attributes:
        tokens_per_s: completion tokens of all requests by the wall time of the run.
        tokens_per_request: their mean.
        ttft_p50_s: from sending a request to its first text.
        itl_p50_s: inter-token latency, between one piece of a stream that brings text and the next.
        cpu_us_per_token: user and system time of the front-end process by completion tokens, in microseconds.
        load_us_per_token: the same of whoever sent the load; 0 where that is the front end itself.
    """

    tokens_per_s: float
    tokens_per_request: float
    ttft_p50_s: float
    ttft_p99_s: float
    itl_p50_s: float
    itl_p99_s: float
    cpu_us_per_token: float
    load_us_per_token: float


@dataclass(slots=True)
class Reply:
    """What one request brought, as it comes."""

    num_tokens: int = 0
    ttft_s: float | None = None
    gaps_s: list[float] = field(default_factory=list)


def measure(job: Job) -> Run:
    """Send the load from a process of its own.

    Raises:
        LoadError: an answer is not a complete stream with `usage`.
    """
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(asdict(job)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LoadError(done.stderr.strip())
    return Run(**json.loads(done.stdout))


def summary(replies: Sequence[Reply], wall_s: float, cpu_s: float, load_s: float) -> Run:
    """The figures of a run of complete replies."""
    num_tokens = sum(reply.num_tokens for reply in replies)
    firsts = [reply.ttft_s or 0.0 for reply in replies]
    gaps = [gap for reply in replies for gap in reply.gaps_s]
    return Run(
        tokens_per_s=num_tokens / wall_s,
        tokens_per_request=num_tokens / len(replies),
        ttft_p50_s=percentile(firsts, 50),
        ttft_p99_s=percentile(firsts, 99),
        itl_p50_s=percentile(gaps, 50),
        itl_p99_s=percentile(gaps, 99),
        cpu_us_per_token=cpu_s / num_tokens * 1e6,
        load_us_per_token=load_s / num_tokens * 1e6,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of them do not exceed; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def run(job: Job) -> Run:
    """Send `num_requests` from this process, at most `concurrency` of them at a time."""
    if job.cpus:
        os.sched_setaffinity(0, job.cpus)
    # One that does not count: the server may just have been woken.
    asyncio.run(_send_all(job, range(1)))
    cpu_before_s, load_before_s = cpu_seconds(job.front_end_pid), time.process_time()
    begin_s = time.perf_counter()
    replies = asyncio.run(_send_all(job, range(1, job.num_requests + 1)))
    wall_s = time.perf_counter() - begin_s
    load_s = time.process_time() - load_before_s
    return summary(replies, wall_s, cpu_seconds(job.front_end_pid) - cpu_before_s, load_s)


async def _send_all(job: Job, numbers: range) -> list[Reply]:
    waiting = iter(numbers)
    replies: list[Reply] = []

    async def worker() -> None:
        for number in waiting:
            replies.append(await _send(job, number))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(job.concurrency, len(numbers))):
            group.create_task(worker())
    return replies


def numbered(body: dict[str, Any], number: int, texts: Sequence[str] = ()) -> dict[str, Any]:
    """The body of one request: a prompt of its own, so that the prefix cache helps nobody."""
    text = texts[number % len(texts)] if texts else f"{number} {body['messages'][0]['content']}"
    return body | {"messages": [{"role": "user", "content": text}]}


async def _send(job: Job, number: int) -> Reply:
    parts = urlsplit(job.url)
    body = numbered(job.body, number, job.texts) | {"stream": True, "stream_options": {"include_usage": True}}
    payload = json.dumps(body).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(
        lambda: _Stream(head.encode() + payload), parts.hostname or "", parts.port or 80
    )
    await stream.closed
    return stream.complete()


class _Stream(asyncio.Protocol):
    """Sends one request and times what comes back."""

    def __init__(self, request: bytes) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._request = request
        self._reply = Reply()
        self._tail: deque[bytes] = deque(maxlen=TAIL_READS)
        self._last_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._last_s = time.perf_counter()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        self._tail.append(data)
        if not TEXT.search(data):
            return
        reply = self._reply
        if reply.ttft_s is None:
            reply.ttft_s = now_s - self._last_s
        else:
            reply.gaps_s.append(now_s - self._last_s)
        self._last_s = now_s

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    def complete(self) -> Reply:
        """What it brought.

        Raises:
            LoadError: it brought no text, or no usage at its end.
        """
        tail = b"".join(self._tail)
        if self._reply.ttft_s is None:
            raise LoadError(f"No text in the stream: {tail[:500].decode(errors='replace')}")
        self._reply.num_tokens = _completion_tokens(tail)
        return self._reply


def _completion_tokens(tail: bytes) -> int:
    for line in reversed(tail.splitlines()):
        if line.startswith(b'data: {"') and b'"completion_tokens":' in line:
            tokens: int = json.loads(line[len(b"data: ") :])["usage"]["completion_tokens"]
            return tokens
    raise LoadError(f"No usage at the end of the stream: {tail[-500:].decode(errors='replace')}")


def main() -> int:
    """Do the job that stands on standard input."""
    print(json.dumps(asdict(run(Job(**json.load(sys.stdin))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
