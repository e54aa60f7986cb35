"""Streaming chat requests at a fixed concurrency, read as raw bytes so that the load itself costs little."""

import asyncio
import json
import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: A chunk that carries sampled text: one of these fields, with something in it.
TEXT = re.compile(rb'"(?:content|reasoning|reasoning_content)":"[^"]|"reasoning_step":\{')
TAIL_BYTES = 16_384


class LoadError(Exception):
    """A request of the load failed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement.

    Attributes:
        tokens_per_s: completion tokens of all requests by the wall time of the run.
        tokens_per_request: their mean.
        ttft_p50_s: median time from sending a request to its first text.
        cpu_us_per_token: user and system time of the front-end process by completion tokens, in microseconds.
    """

    tokens_per_s: float
    tokens_per_request: float
    ttft_p50_s: float
    cpu_us_per_token: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request brought."""

    num_tokens: int
    ttft_s: float


def measure(url: str, body: dict[str, Any], concurrency: int, num_requests: int, front_end_pid: int) -> Run:
    """Send `num_requests`, at most `concurrency` of them at a time.

    Raises:
        LoadError: an answer is not a complete stream with `usage`.
    """
    cpu_before_s = cpu_seconds(front_end_pid)
    begin_s = time.perf_counter()
    replies = asyncio.run(_send_all(url, body, concurrency, num_requests))
    wall_s = time.perf_counter() - begin_s
    cpu_s = cpu_seconds(front_end_pid) - cpu_before_s
    num_tokens = sum(reply.num_tokens for reply in replies)
    return Run(
        tokens_per_s=num_tokens / wall_s,
        tokens_per_request=num_tokens / num_requests,
        ttft_p50_s=statistics.median(reply.ttft_s for reply in replies),
        cpu_us_per_token=cpu_s / num_tokens * 1e6,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of one process with all its threads, without its children (proc(5), stat)."""
    # The command's name stands in parentheses and may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _send_all(url: str, body: dict[str, Any], concurrency: int, num_requests: int) -> list[Reply]:
    waiting = iter(range(num_requests))
    replies: list[Reply] = []

    async def worker() -> None:
        for number in waiting:
            # Distinct prompts, so that the prefix cache helps neither server.
            text = f"{number} {body['messages'][0]['content']}"
            replies.append(await _send(url, body | {"messages": [{"role": "user", "content": text}]}))

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return replies


async def _send(url: str, body: dict[str, Any]) -> Reply:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    payload = json.dumps(body | {"stream": True, "stream_options": {"include_usage": True}}).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    begin_s = time.perf_counter()
    writer.write(head.encode() + payload)
    ttft_s = None
    tail = b""
    while data := await reader.read(65_536):
        if ttft_s is None and TEXT.search(data):
            ttft_s = time.perf_counter() - begin_s
        tail = (tail + data)[-TAIL_BYTES:]
    writer.close()
    await writer.wait_closed()
    if ttft_s is None:
        raise LoadError(f"No text in the stream: {tail[:500].decode(errors='replace')}")
    return Reply(_completion_tokens(tail), ttft_s)


def _completion_tokens(tail: bytes) -> int:
    for line in reversed(tail.splitlines()):
        if line.startswith(b'data: {"') and b'"completion_tokens":' in line:
            tokens: int = json.loads(line[len(b"data: ") :])["usage"]["completion_tokens"]
            return tokens
    raise LoadError(f"No usage at the end of the stream: {tail[-500:].decode(errors='replace')}")
