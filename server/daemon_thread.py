"""Blocking work that nobody can interrupt, such as loading a model, beside the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_daemon_thread(work: Callable[[], Result]) -> Result:
    """Run blocking work in a thread that does not keep the process alive: a load cannot be interrupted."""
    done: concurrent.futures.Future[Result] = concurrent.futures.Future()
    # Who no longer waits for it leaves it running, and its end goes nowhere.
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - a thread's border: the caller raises it again
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="steiner-load", daemon=True).start()
    return await asyncio.wrap_future(done)
