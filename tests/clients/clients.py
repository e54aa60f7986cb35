"""Programs of client libraries, and how they run.

Those whose packages are not the server's have a virtual environment and node packages, each made once and locked.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
AI_SDK = HERE / "ai_sdk"
CONVERSATIONS = HERE / "conversations"
BUILD = HERE.parents[1] / "build"
PYTHON_CLIENTS = BUILD / "clients"
INSTALL_S = 540
PROGRAM_S = 200
CONVERSATION_S = 400
# LiteLLM asks the network for prices, and openai-agents for a place to send traces, unless they are told not to.
QUIET_ENVIRONMENT = os.environ | {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
}


@contextmanager
def _made_once(folder: Path, *made_of: Path) -> Iterator[bool]:
    """Whether a folder has to be made, which other processes wait for; a stamp in it says from what it was."""
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()
    BUILD.mkdir(exist_ok=True)
    stamp = folder / ".made-of"
    with (BUILD / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not stamp.is_file() or stamp.read_text() != wanted
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        yield is_new
        stamp.write_text(wanted)


def _run(*command: str | Path, folder: Path = HERE) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
    assert done.returncode == 0, done.stderr[-4000:]


def python_of_clients() -> Path:
    """The interpreter that has LiteLLM, openai-agents, pydantic-ai and instructor."""
    requirements = HERE / "requirements.txt"
    python = PYTHON_CLIENTS / "bin" / "python"
    with _made_once(PYTHON_CLIENTS, requirements) as is_new:
        if is_new:
            _run(sys.executable, "-m", "venv", "--without-pip", PYTHON_CLIENTS)
            pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
            _run(*pip, "install", "--quiet", "--no-deps", "--no-compile", "-r", requirements)
    return python


def install_ai_sdk(npm: str) -> Path:
    """The folder in which node finds the Vercel AI SDK."""
    with _made_once(AI_SDK / "node_modules", AI_SDK / "package-lock.json") as is_new:
        if is_new:
            _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=AI_SDK)
    return AI_SDK


def lines_of(
    command: Sequence[str | Path], folder: Path, program: str | None = None, timeout_s: float = PROGRAM_S
) -> list[str]:
    """What a client's program prints.

    Args:
        folder: where it runs.
        program: its text, for an interpreter that reads it from standard input.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=QUIET_ENVIRONMENT,
        input=program,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return done.stdout.splitlines()


def told_of(
    command: Sequence[str | Path], asks: Sequence[dict[str, Any]], folder: Path
) -> list[dict[str, Any]]:
    """What came of the conversations that a program holds, each as its `asked.py` describes it."""
    told: list[dict[str, Any]] = json.loads(
        lines_of([*command, json.dumps(asks)], folder, timeout_s=CONVERSATION_S)[-1]
    )
    return told
