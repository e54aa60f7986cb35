"""Processes that share the work. Results come in the order of the tasks, whichever process was faster."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Protocol, TypeVar

from steiner.training.data.shards import DataError

Task = TypeVar("Task")
Result = TypeVar("Result")
TASKS_AHEAD = 4
"""Tasks handed out for each process: enough that none waits, few enough that they fit in memory."""


class MapInOrder(Protocol):
    """Like the built-in `map` with one iterable; the function, its argument and its result can be pickled."""

    def __call__(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Generator[Result, None, None]: ...


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


@contextmanager
def worker_processes(count: int) -> Iterator[MapInOrder]:
    """A `map` over `count` processes; with one, it runs in this process.

    Raises:
        DataError: while it was in use, a process was ended from outside.
    """
    if count == 1:
        yield _here
        return
    executor = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_stay_with_parent)

    def map_in_order(
        function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Generator[Result, None, None]:
        handed_out: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                handed_out.append(executor.submit(function, task))
                if len(handed_out) >= count * TASKS_AHEAD:
                    yield handed_out.popleft().result()
            while handed_out:
                yield handed_out.popleft().result()
        finally:
            for future in handed_out:
                future.cancel()

    try:
        yield map_in_order
    except BrokenProcessPool as error:
        raise DataError(
            "A worker process was ended from outside, perhaps for want of memory. What is whole is kept: "
            f"run the command again, with fewer than {count} --workers if memory was short."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _here(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result, None, None]:
    yield from map(function, tasks)


def _stay_with_parent() -> None:
    # Ctrl-C reaches the whole process group, and only the parent reacts to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    # A killed parent tells nobody, and its workers would wait for tasks forever.
    if parent := parent_process():
        wait([parent.sentinel])
        os._exit(1)
