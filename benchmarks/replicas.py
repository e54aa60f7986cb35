"""Replicas as they are deployed: servers over a scripted engine, one Redis, and nginx with deploy/'s own files."""

import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import copy, which
from types import TracebackType
from typing import Self

import httpx

from steiner.cli.local_server import LocalServer, free_port
from steiner.reasoning.errors import SteinerError

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parent / "deploy"
FRAME = HERE / "nginx.conf"
#: Longer than a drain, on a machine that has other things to do.
DEADLINE_S = 300.0
POLL_S = 0.05
#: What compose.conf has for newer versions of nginx than distributions have, and for Docker.
REPLACED = {
    "    # Docker's name server; asked again, so that replicas may come and go.\n": "",
    "    resolver 127.0.0.11 valid=5s;\n": "",
    "    server steiner:8000 resolve max_fails=0;\n": "{servers}",
    "    listen 8443 ssl;\n": "    listen 127.0.0.1:{port} ssl http2;\n",
    "    http2 on;\n": "",
    "/etc/nginx/tls/": "{folder}/",
    "    listen 8080;\n": "    listen 127.0.0.1:{alive};\n",
}
SERVER = "    server {address} max_fails=0;\n"
CERTIFICATE = """openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=steiner
-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {folder}/steiner.key -out {folder}/steiner.crt"""


class MissingProgramError(SteinerError):
    """A program that stands around the server is not installed."""


def program(name: str) -> str:
    """Its path.

    Raises:
        MissingProgramError: it is not installed.
    """
    found = which(name) or which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingProgramError(f"{name} is not installed; CONTRIBUTING.md says which packages have what")
    return found


class Replica:
    """A server process that may end and be started again, on the same port."""

    def __init__(self, options: Sequence[str], log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, str(HERE / "scripted_server.py"), "--port", str(self.port), *options]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, and be ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SteinerError(f"a replica did not get ready:\n{self._log.read_text()[-2000:]}")
            time.sleep(POLL_S)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; gives the exit code, negative for the signal itself."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return self._process.wait(DEADLINE_S)

    def metric(self, name: str) -> float:
        """Value of a metric without labels."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


class Replicas:
    """All of it, for as long as a `with` block lasts.

    Args:
        num: of servers.
        folder: for logs, certificate and configuration.
        options: of benchmarks/scripted_server.py.
    """

    def __init__(self, num: int, folder: Path, options: Sequence[str]) -> None:
        redis_port = free_port()
        self._redis = [program("redis-server"), "--port", str(redis_port), "--bind", "127.0.0.1"]
        self._redis += ["--save", "", "--dir", str(folder)]
        store = ["--setting", 'store="redis"', "--setting", f'redis_url="redis://127.0.0.1:{redis_port}/0"']
        self.servers = [Replica([*options, *store], folder / f"replica-{n}.log") for n in range(num)]
        self._folder = folder
        self._stack = ExitStack()
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"

    @property
    def trust(self) -> ssl.SSLContext:
        """For clients: the certificate signs itself."""
        return ssl.create_default_context(cafile=str(self._folder / "steiner.crt"))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            with (self._folder / "redis.log").open("wb") as log:
                redis = subprocess.Popen(self._redis, stdout=log, stderr=log)
            stack.callback(_kill, redis)
            for server in self.servers:
                stack.callback(server.end, signal.SIGKILL)
                server.start()
            nginx, alive = self._nginx()
            stack.enter_context(nginx)
            nginx.wait_until_ready()
            httpx.get(f"http://127.0.0.1:{alive}/alive").raise_for_status()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _nginx(self) -> tuple[LocalServer, int]:
        folder, alive = self._folder, free_port()
        subprocess.run(CERTIFICATE.format(folder=folder).split(), check=True, capture_output=True)
        servers = "".join(
            SERVER.format(address=server.url.removeprefix("http://")) for server in self.servers
        )
        config = (DEPLOY / "nginx/compose.conf").read_text()
        for theirs, ours in REPLACED.items():
            if theirs not in config:
                raise SteinerError(f"deploy/nginx/compose.conf has changed: there is no {theirs.strip()!r}")
            ours = ours.format(servers=servers, port=self._port, alive=alive, folder=folder)
            config = config.replace(theirs, ours)
        (folder / "site.conf").write_text(config)
        copy(DEPLOY / "nginx/steiner-locations.conf", folder)
        copy(FRAME, folder)
        command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        return LocalServer(command, alive, ready_path="/alive"), alive


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
