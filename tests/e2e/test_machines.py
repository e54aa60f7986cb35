"""One model on two tensor parallel ranks, each on a "machine" of its own: the same greedy answers as on one rank."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.local_server import LocalServer, free_port, serve_command

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]
QUESTIONS = ("make 22 from 15 4 11", "make 9 from 3 5 1", "make 40 from 8 20 2")


@pytest.fixture
def machines(server: Any) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address of the server on machine 0, and the process of machine 1; they meet on this one."""
    port, meeting = free_port(), free_port()
    shared = ["--tensor-parallel-size", "2", "--nnodes", "2", "--master-port", str(meeting)]
    command = serve_command(Path("models/steiner-tiny").resolve(), port)
    # A core each: ranks wait for each other at every layer.
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile() as log:
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0")
        with LocalServer([*command, *shared, "--store", "memory"], port) as leader:
            follower = subprocess.Popen(
                [*command, *shared, "--node-rank", "1", "--headless"],
                env=os.environ | {"VLLM_CPU_OMP_THREADS_BIND": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                leader.wait_until_ready()
                yield leader.url, follower
            finally:
                follower.kill()
                follower.wait()


def answer(url: str, question: str) -> dict[str, Any]:
    """What a greedy chat says: steps and answer."""
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0}
    response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=300)
    assert response.status_code == 200, response.text
    message: dict[str, Any] = response.json()["choices"][0]["message"]
    return message


def test_two_ranks_answer_as_one(server: Any, machines: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, follower = machines
    for question in QUESTIONS:
        alone, shared = answer(server.url, question), answer(url, question)
        assert shared["reasoning"] == alone["reasoning"]
        assert shared["content"] == alone["content"]
        assert len(shared["reasoning_steps"]) == len(alone["reasoning_steps"]) >= 1
    # It computes and serves nothing, and ends when it is told to.
    assert follower.poll() is None
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(60) == 0
