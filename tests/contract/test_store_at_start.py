"""A store that cannot be used ends `steiner serve` at once, with a message that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--store-path", "{taken}/generations.sqlite3"], "STEINER_STORE_PATH"),
        (["--store", "redis", "--redis-url", "redis://127.0.0.1:{port}/0"], "STEINER_REDIS_URL"),
        (["--store", "redis", "--redis-url", "http://127.0.0.1"], "STEINER_REDIS_URL"),
    ],
    ids=["not writable", "not there", "no address"],
)
def test_the_server_does_not_start(tmp_path: Path, new_port: int, flags: list[str], named: str) -> None:
    # Where a folder would have to be there is a file: refused as a read-only file system is, to root, too.
    (tmp_path / "taken").write_text("")
    given = [flag.format(taken=tmp_path / "taken", port=new_port) for flag in flags]
    command = [sys.executable, "-m", "steiner.cli", "serve", "models/steiner-tiny", "--port", "0", *given]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert named in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout
    assert "vllm" not in ended.stderr.lower()
