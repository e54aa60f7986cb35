"""A server in a child process, for as long as a `with` block lasts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

import httpx

from steiner.reasoning.errors import SteinerError

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1
NUM_LOG_LINES = 15


class ServerFailedError(SteinerError):
    """The server ended, or was not ready in time; the message has the end of its log and the log's path."""


def free_port() -> int:
    """A port of this machine that nothing listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def serve_command(model: Path, port: int) -> list[str]:
    """`steiner serve` with this Python, whether or not the command is on the path."""
    return [sys.executable, "-m", "steiner.cli", "serve", str(model), "--port", str(port)]


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


class LocalServer:
    """A command that serves HTTP on a port of this machine.

    The log goes to a file that is kept only after a failure.
    """

    def __init__(self, command: Sequence[str], port: int, *, ready_path: str = "/ready") -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = Path(tempfile.gettempdir()) / f"steiner-{os.getpid()}-{port}.log"
        self._command = list(command)
        self._ready_url = self.url + ready_path
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._log = self.log_path.open("wb")
        # The variable holds another server's key; this server is only for its own process.
        environment = {name: value for name, value in os.environ.items() if name != "STEINER_API_KEY"}
        # Its own session: Ctrl-C then reaches only this process, which stops the server in an orderly way.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
        self._end_in_order()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, log = self._process, self._log
        if process is None or log is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        # The engine runs in children of the same group, and none of them may be left over.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()
        if not isinstance(error, Exception):
            self.log_path.unlink(missing_ok=True)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _end_in_order(self) -> None:
        """Make signals that would end this process at once leave the `with` block first.

        The server is in its own session, so nothing else would end it, and it holds gigabytes.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, _leave)

    @property
    def pid(self) -> int:
        """Process id of the command itself, without its children."""
        if self._process is None:
            raise ServerFailedError("The server was not started; use it as a context manager.")
        return self._process.pid

    def wait_until_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when the server takes requests.

        Raises:
            ServerFailedError: it ended, or the time passed.
        """
        process = self._process
        if process is None:
            raise ServerFailedError("The server was not started; use it as a context manager.")
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerFailedError(
                    f"The server ended with status {process.returncode}.\n{self._end_of_log()}"
                )
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(self._ready_url, timeout=2.0).is_success:
                    return
            time.sleep(POLL_S)
        raise ServerFailedError(f"The server was not ready after {timeout_s:g} s.\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-NUM_LOG_LINES:]
        return "\n".join([*lines, f"The whole log: {self.log_path}"])
