"""A headless machine notices that machine 0 is gone, and no sooner."""

from __future__ import annotations

import socket
import threading

import pytest

from steiner.server.engine import headless
from steiner.server.engine.headless import watch_leader


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_it_calls_once_when_the_leader_closes() -> None:
    ended = threading.Event()
    with listening() as leader:
        thread = watch_leader("127.0.0.1", leader.getsockname()[1], ended.set)
        connection, _ = leader.accept()
        assert not ended.is_set()
        connection.close()
        assert ended.wait(30)
        thread.join(30)
    assert not thread.is_alive()


def test_a_leader_that_is_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "RETRY_S", 0.05)
    ended = threading.Event()
    with listening() as reserved:
        port = reserved.getsockname()[1]
    thread = watch_leader("127.0.0.1", port, ended.set)
    with socket.create_server(("127.0.0.1", port)) as leader:
        leader.settimeout(30)
        connection, _ = leader.accept()
        assert not ended.is_set()
        connection.close()
        assert ended.wait(30)
    thread.join(30)
    assert not thread.is_alive()
