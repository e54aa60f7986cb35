"""A real server process: how tests start one, and end it in the middle of its work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[1]
SHIPPED = REPOSITORY / "models" / "steiner-tiny"
START_S = 300.0

SERVE = """
import sys
from steiner.server.main import serve
from steiner.server.settings import Settings

if __name__ == "__main__":
    sys.exit(serve(Settings(model=sys.argv[1], port=int(sys.argv[2]), drain_timeout_s=90)))
"""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server process and where it listens."""

    process: subprocess.Popen[bytes]
    url: str
    model: str
    log: Path

    def tail(self) -> str:
        """The end of its log, for the message of a failed assertion."""
        return self.log.read_text(errors="replace")[-4000:]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start_server(model: Path, folder: Path) -> RunningServer:
    """Start a server on a checkpoint and wait until it is ready."""
    script = folder / "serve_for_tests.py"
    script.write_text(SERVE)
    port = _free_port()
    log = folder / "server.log"
    environment = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "WARNING"} | os.environ
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, script, str(model), str(port)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=REPOSITORY,
        )
    server = RunningServer(process, f"http://127.0.0.1:{port}", model.name, log)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{server.url}/ready", timeout=5).status_code == 200:
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    process.kill()
    process.wait()
    raise RuntimeError(f"the server did not get ready:\n{server.tail()}")


def stop_while_reasoning(server: RunningServer) -> tuple[int, str]:
    """SIGTERM in the middle of a stream; gives the exit code and the name of the stream's last event.

    Few tokens and a late deadline: on a busy machine a token takes a tenth of a second, and a generation
    that misses the deadline is cancelled, which is right but not what is looked at here.
    """
    body = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}], "max_tokens": 80}
    names = []
    with httpx.stream("POST", f"{server.url}/v1/reasoning", json=body, timeout=120) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                names.append(line)
                if len(names) == 5:
                    server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(timeout=120), names[-1]
    finally:
        if server.process.poll() is None:
            server.process.kill()
