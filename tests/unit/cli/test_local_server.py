"""A child process that serves: waited for, stopped with all it started, its log kept after a failure."""

import os
import select
import signal
import subprocess
import sys

import httpx
import pytest

from steiner.cli.local_server import LocalServer, ServerFailedError, free_port

SERVING = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("child", child.pid, flush=True)
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


def serving(port: int) -> LocalServer:
    return LocalServer([sys.executable, "-c", SERVING, str(port)], port)


def ends(pid: int) -> bool:
    """Whether the process is gone, or goes within ten seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10.0)[0])
    finally:
        os.close(process)


def test_serves_inside_the_block_and_leaves_nothing_behind() -> None:
    with serving(free_port()) as server:
        server.wait_until_ready()
        assert httpx.get(server.url + "/ready").status_code == 200
        pids = [server.pid, int(server.log_path.read_text().split()[1])]
        for pid in pids:
            os.kill(pid, 0)
    assert all(map(ends, pids))
    assert not server.log_path.exists()


def test_a_server_that_ends_shows_its_last_words_and_keeps_its_log() -> None:
    command = [sys.executable, "-c", "import sys; print('no such model'); sys.exit(3)"]
    with (
        pytest.raises(ServerFailedError, match="status 3") as caught,
        LocalServer(command, free_port()) as server,
    ):
        server.wait_until_ready()
    assert "no such model" in str(caught.value)
    assert str(server.log_path) in str(caught.value)
    assert "no such model" in server.log_path.read_text()
    server.log_path.unlink()


def test_a_server_that_never_gets_ready_is_stopped() -> None:
    with LocalServer([sys.executable, "-c", "import signal; signal.pause()"], free_port()) as server:
        with pytest.raises(ServerFailedError, match=r"not ready after 0\.05 s"):
            server.wait_until_ready(timeout_s=0.05)
        pid = server.pid
    assert ends(pid)


HOLDER = """
import signal, sys, time
from steiner.cli.local_server import LocalServer, free_port

# Tests may run under nohup, which has hang-ups ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
port = free_port()
with LocalServer([sys.executable, "-m", "http.server", str(port)], port, ready_path="/") as server:
    server.wait_until_ready()
    print(server.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_takes_its_server_along(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        server = int(holder.stdout.readline())
        os.kill(server, 0)
        holder.send_signal(number)
        assert holder.wait(timeout=30) == 128 + number
    assert ends(server)


@pytest.mark.parametrize("hang_up", [signal.SIG_DFL, signal.SIG_IGN], ids=["default", "nohup"])
def test_handlers_are_those_from_before(hang_up: signal.Handlers) -> None:
    def mine(*_: object) -> None:
        """Not replaced."""

    before = signal.signal(signal.SIGTERM, mine), signal.signal(signal.SIGHUP, hang_up)
    try:
        with LocalServer([sys.executable, "-c", "import time; time.sleep(60)"], 1):
            assert signal.getsignal(signal.SIGTERM) is mine
            is_replaced = signal.getsignal(signal.SIGHUP) not in (signal.SIG_DFL, signal.SIG_IGN, mine)
            assert is_replaced == (hang_up == signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGHUP) == hang_up
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])
