"""A store that cannot be used ends `steiner serve` at once, with a message that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("flags", "named", "exit_code"),
    [
        (["--store-path", "{taken}/generations.sqlite3"], "STEINER_STORE_PATH", 1),
        (["--store", "redis", "--redis-url", "redis://127.0.0.1:{port}/0"], "STEINER_REDIS_URL", 1),
        (["--store", "redis", "--redis-url", "http://127.0.0.1"], "redis_url must begin with", 2),
    ],
    ids=["not writable", "not there", "no address"],
)
def test_the_server_does_not_start(
    tmp_path: Path, new_port: int, flags: list[str], named: str, exit_code: int
) -> None:
    # Where a folder would have to be there is a file: refused as a read-only file system is, to root, too.
    (tmp_path / "taken").write_text("")
    given = [flag.format(taken=tmp_path / "taken", port=new_port) for flag in flags]
    command = [sys.executable, "-m", "steiner.cli", "serve", "models/steiner-tiny", "--port", "0", *given]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == exit_code
    assert named in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout
    assert "vllm" not in ended.stderr.lower()
