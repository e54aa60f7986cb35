"""`steiner ask` where nothing runs: it starts a server, asks, and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steiner.saved_trace import parse_saved_trace

pytestmark = pytest.mark.e2e


def test_it_starts_a_server_of_its_own(tmp_path: Path, new_port: int) -> None:
    # Nobody listens there, so the address of this machine is tried in vain.
    program = (
        "import steiner.cli.asked_server as server, steiner.cli.main as cli, sys\n"
        f"server.DEFAULT_URL = 'http://127.0.0.1:{new_port}'\n"
        "cli.main()"
    )
    saved = tmp_path / "trace.json"
    arguments = ["ask", "make 22 from 15 4 11", "--json", "--save", str(saved)]
    without = {name: value for name, value in os.environ.items() if name != "STEINER_URL"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True, text=True, timeout=300, check=False, env=without,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "starting one on" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "done"
    assert parse_saved_trace(saved.read_bytes()).answer
