"""What keeping streams costs: Redis' CPU time for each save of a running generation, and bytes of each token.

    python benchmarks/store_cost.py [--generations 200] [--saves 40]

As many generations as a busy server runs are saved again and again as the recorder saves them, a few tokens at a
time, through a real Redis; its own INFO says what CPU time it used. Bytes are those of a step stream of a legal walk.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from processes import cpu_seconds
from redis import Redis
from replicas import HERE, program

from steiner.cli.local_server import LocalServer, free_port
from steiner.reasoning.events import AnswerDelta, Event
from steiner.server.generations.store.base import Record, Save, encode_chunk
from steiner.server.generations.store.redis import RedisStore

#: Of a stream of 40 tokens a second, in half a second.
EVENTS_PER_SAVE = 20
QUESTION = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


def main() -> int:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--saves", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="steiner-store-") as folder:
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        options += ["--logfile", str(Path(folder) / "redis.log")]
        redis = subprocess.Popen([program("redis-server"), *options])
        try:
            per_save = asyncio.run(save_all(port, redis.pid, arguments.generations, arguments.saves))
            with Redis(port=port, protocol=2) as client:
                kept = client.info("memory")["used_memory_dataset"]
        finally:
            redis.kill()
            redis.wait()
        bytes_per_token = stream_bytes(Path(folder))
    num_tokens = arguments.generations * arguments.saves * EVENTS_PER_SAVE
    figures = {
        "redis_us_per_save": round(per_save * 1e6, 1),
        "redis_bytes_per_token": round(kept / num_tokens),
        "wire_bytes_per_token": round(bytes_per_token),
    }
    print(json.dumps(figures))
    return 0


async def save_all(port: int, pid: int, num_generations: int, num_saves: int) -> float:
    """CPU seconds of Redis for one save of one generation."""
    store = RedisStore(f"redis://127.0.0.1:{port}/0", retention_s=3600, running_s=600)
    deadline = time.monotonic() + 30
    while not listens(port):
        if time.monotonic() > deadline:
            raise TimeoutError("redis-server does not listen")
        await asyncio.sleep(0.05)
    await store.open("measured")
    begin = cpu_seconds(pid)
    for turn in range(num_saves):
        await store.put([save_of(number, turn) for number in range(num_generations)])
    used = cpu_seconds(pid) - begin
    await store.close()
    return used / (num_generations * num_saves)


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def save_of(number: int, turn: int) -> Save:
    """What half a second adds to a generation."""
    first = turn * EVENTS_PER_SAVE + 1
    events: list[Event] = [
        AnswerDelta(sequence_number=first + index, text=f" {(number + first + index) % 97}")
        for index in range(EVENTS_PER_SAVE)
    ]
    record = Record(
        id=f"rsn_{number}",
        owner="anonymous",
        model="measured",
        created=0,
        endpoint="reasoning",
        process="measured",
        request={},
        first=1,
        last=first + EVENTS_PER_SAVE - 1,
        usage={"prompt_tokens": 20, "completion_tokens": first},
        finished_at=None,
        trace=b"",
    )
    return Save(record, [encode_chunk(events)], is_first=turn == 0)


def stream_bytes(folder: Path) -> float:
    """Bytes of a step stream by its completion tokens."""
    port = free_port()
    command = [str(HERE / "scripted_server.py"), "--port", str(port), "--setting", 'store="memory"']
    with LocalServer([sys.executable, *command], port) as server:
        server.wait_until_ready()
        content = httpx.post(f"{server.url}/v1/reasoning", json=QUESTION, timeout=120).content
    usage = next(json.loads(line[6:]) for line in content.splitlines() if b'"completion_tokens"' in line)
    return len(content) / float(usage["completion_tokens"])


if __name__ == "__main__":
    raise SystemExit(main())
