"""An event loop for code that cannot await, also where one runs already, as in a notebook."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class OwnLoop:
    """Runs coroutines one after the other on one loop, for as long as a `with` block lasts.

    Where no loop runs in this thread it is this thread's, and Ctrl-C cancels what runs. Where one does, it is a
    thread's of its own: this one waits, as it would for any call that blocks.
    """

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._runner = asyncio.Runner()
            return self
        runs = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=[runs], name="steiner client", daemon=True)
        self._thread.start()
        runs.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._runner.close()
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine; what it raises is raised."""
        if self._runner is not None:
            return self._runner.run(coroutine)
        assert self._loop is not None, "used outside of its `with` block"
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            with contextlib.suppress(CancelledError):
                future.result()
            raise

    def _serve(self, runs: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(runs.set)
            self._loop.run_forever()
