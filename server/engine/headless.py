"""A machine that computes for another one: it runs vLLM's ranks, and ends when machine 0 ends.

Left alone, the ranks would wait for the next message of machine 0 forever.
"""

from __future__ import annotations

import argparse
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence

from steiner.reasoning.grammar.certain_tokens import Mark
from steiner.server.engine.vllm_engine import engine_args, failing_to_start
from steiner.server.settings import Settings

logger = logging.getLogger(__name__)

RETRY_S = 1.0
# A machine that vanishes without closing its connections is noticed after IDLE + INTERVAL * COUNT seconds.
KEEP_ALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


def watch_leader(host: str, port: int, on_end: Callable[[], None]) -> threading.Thread:
    """Call `on_end` once, when machine 0 has been there and is gone.

    Args:
        host: its address.
        port: where machines meet; machine 0 listens there for as long as its ranks live.
        on_end: called in another thread.
    """
    thread = threading.Thread(target=_watch, args=[host, port, on_end], name="leader-watch", daemon=True)
    thread.start()
    return thread


def _watch(host: str, port: int, on_end: Callable[[], None]) -> None:
    with _connected(host, port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        try:
            # Nothing is ever sent on this connection.
            while connection.recv(1):
                pass
        except OSError:
            pass
    logger.error("machine 0 at %s:%d has ended", host, port)
    on_end()


def _connected(host: str, port: int) -> socket.socket:
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=RETRY_S * 10)
        except OSError:
            time.sleep(RETRY_S)
        else:
            connection.settimeout(None)
            return connection


def follow(settings: Settings, marks: Sequence[Mark]) -> None:
    """Run the ranks of a machine that is not machine 0, with vLLM's own headless mode; blocks until they end.

    Args:
        marks: of the protocol that is served, for speculation; the same on every machine.

    Raises:
        EngineStartError: vLLM refuses the settings or fails to load the model.
        SystemExit: the process was told to stop.
    """
    with failing_to_start(settings):
        arguments, _speculation = engine_args(settings, marks)
        from vllm.entrypoints.cli.serve import run_headless

        # Its command line has more flags than the engine has arguments. Of the extra ones, it reads this one.
        run_headless(argparse.Namespace(**vars(arguments), api_server_count=0))
