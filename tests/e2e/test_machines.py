"""One model on two tensor parallel ranks, each on a "machine" of its own: the same greedy answers as on one rank."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.cli.local_server import LocalServer, free_port, serve_command

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]
QUESTIONS = ("make 22 from 15 4 11", "make 9 from 3 5 1")


@contextmanager
def headless(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The process of machine 1, on the second core: ranks wait for each other at every layer."""
    environment = os.environ | {"VLLM_CPU_OMP_THREADS_BIND": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def answer(url: str, question: str) -> dict[str, Any]:
    """What a greedy chat says: steps and answer."""
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0}
    response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=300)
    assert response.status_code == 200, response.text
    message: dict[str, Any] = response.json()["choices"][0]["message"]
    return message


def num_accepted(url: str) -> float:
    """Tokens that came from drafts."""
    page = httpx.get(f"{url}/metrics").text
    found = re.findall(r"^steiner_accepted_tokens_total\S* (\S+)$", page, re.MULTILINE)
    return sum(map(float, found))


def test_two_ranks_answer_as_one(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    port, meeting = free_port(), free_port()
    command = serve_command(Path("models/steiner-tiny").resolve(), port)
    command += ["--tensor-parallel-size", "2", "--nnodes", "2", "--master-port", str(meeting)]
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0")
    with headless([*command, "--node-rank", "1", "--headless"]) as follower:
        with LocalServer([*command, "--store", "memory"], port) as leader:
            leader.wait_until_ready()
            for question in QUESTIONS:
                alone, shared = answer(server.url, question), answer(leader.url, question)
                assert shared["reasoning"] == alone["reasoning"]
                assert shared["content"] == alone["content"]
                assert len(shared["reasoning_steps"]) >= 1
            assert num_accepted(leader.url) > 0
            # It computes and serves nothing.
            assert follower.poll() is None
        # It ends with machine 0, as a failure: a supervisor starts it again.
        assert follower.wait(120) == 1
