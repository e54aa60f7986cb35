"""Blocking work beside the event loop, and nobody left to wait for it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from steiner.server.model.loading import in_daemon_thread


async def test_its_result_and_its_error_come_back() -> None:
    assert await in_daemon_thread(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("fails", [True, False])
async def test_work_that_ends_when_nobody_waits_any_more_ends_quietly(fails: bool) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        may_end.wait(30)
        return 1 // 0 if fails else 1

    waiting = asyncio.create_task(in_daemon_thread(work))
    await asyncio.to_thread(begun.wait, 30)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "steiner-load"]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_end.set()
    await asyncio.to_thread(thread.join, 30)
    assert not thread.is_alive()
