"""One generation: its own task fills a numbered log of events, which any number of readers can follow.

The task goes on while readers come, resume and leave. Only `cancel` or the time limit ends it early. The log
ends in exactly one of `done`, `error` and `cancelled`, right after `usage`.

A reader is only a number, so a slow one costs nothing. Memory holds the events that the store does not have
yet; earlier ones are read from the store. A generation that is not kept has one reader, and drops what that
reader has read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from steiner.reasoning.events import TERMINAL_TYPES, Event
from steiner.reasoning.trace import Trace
from steiner.server.access.admission import Place, TurnedAway
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import EngineDead, EngineError, EngineRefusal
from steiner.server.errors import NotReady
from steiner.server.generations.event_buffer import EventBuffer
from steiner.server.generations.readable import Endpoint

logger = logging.getLogger(__name__)

ReadBack = Callable[[str, int], Awaitable[Sequence[Event]]]
"""Takes an id and a number; returns some of the next stored events above it, or none."""


class Generation:
    """Runs a conductor and keeps what it publishes.

    Args:
        conductor: makes the events; it is run once.
        owner: name of the caller that it belongs to.
        endpoint: under which it was started.
        request: what that endpoint will need to know about the request later; JSON.
        place: the right to run; given back when the generation ends, however it ends.
        max_buffer_bytes: of memory for events that are not in the store, or not read.
        timeout_s: longest run before the generation ends in an `error` with code ``timeout``.
        observe: called with each batch of new events, in order; must not raise.
        on_engine_dead: called if the engine turns out to be gone.
    """

    def __init__(
        self,
        conductor: Conductor,
        *,
        owner: str,
        endpoint: Endpoint,
        request: dict[str, Any],
        place: Place,
        max_buffer_bytes: int,
        timeout_s: float,
        observe: Callable[[Sequence[Event]], None],
        on_engine_dead: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.id = conductor.assignment.id
        self.model = conductor.assignment.model
        self.created = int(now())
        self.owner = owner
        self.endpoint = endpoint
        self.request = request
        self._conductor = conductor
        self._place = place
        self._timeout_s = timeout_s
        self._observe = observe
        self._on_engine_dead = on_engine_dead
        self.buffer = EventBuffer(max_buffer_bytes)
        self.finished_at: float | None = None
        self._now = now
        self._is_finished = False
        self._read_back: ReadBack | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None
        self._cancel_requested = False

    def start(self, read_back: ReadBack | None) -> None:
        """Begin; needs a running event loop.

        Args:
            read_back: reads what is in the store; None for a generation that is not kept.
        """
        self._read_back = read_back
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"generation {self.id}")
        self._task.add_done_callback(self._settle)

    @property
    def finished(self) -> bool:
        """Whether the log has its terminal event."""
        return self._is_finished

    @property
    def first_sequence_number(self) -> int:
        """Number of the oldest event that can still be read."""
        return self.buffer.num_lost + 1

    @property
    def last_sequence_number(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self.buffer.last

    @property
    def max_seen(self) -> int:
        """The same as the newest event's number: readers here hear of every event first."""
        return self.buffer.last

    @property
    def usage(self) -> dict[str, int]:
        """Token counts so far, by their names in the event `usage`."""
        return self._conductor.usage

    @property
    def trace(self) -> Trace:
        """The tree so far."""
        return self._conductor.trace

    def cancel(self) -> None:
        """End the generation early; its log then ends in `cancelled`. Has no effect once it has finished."""
        if self._task is not None and not self.finished and not self._cancel_requested:
            self._cancel_requested = True
            self._task.cancel()

    async def stop(self) -> None:
        """`cancel`, and wait until it has ended."""
        self.cancel()
        await self.wait()

    async def wait(self) -> None:
        """Wait until the terminal event is in the log and the engine has dropped the request."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def events(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Every event numbered above `after`, in order, in batches as they come, up to the terminal one.

        Raises:
            NotReady: the store does not answer, or events were lost before they could be read.
        """
        position = after
        buffer, loop = self.buffer, asyncio.get_running_loop()
        while True:
            if position < buffer.last:
                batch = buffer.read(position)
                if batch is None:
                    batch = await self._read_elsewhere(position)
                if not batch:
                    return
                position = batch[-1].sequence_number
                yield batch
                if self._read_back is None:
                    buffer.release(position)
            elif self._is_finished:
                return
            else:
                waiter = loop.create_future()
                self._waiters.append(waiter)
                await waiter

    async def _read_elsewhere(self, position: int) -> Sequence[Event]:
        if self._read_back is None or position < self.buffer.num_lost:
            raise NotReady(
                f"the reader lags behind by more than the {self.buffer.max_bytes} bytes that memory holds of a "
                "stream (max_stream_bytes), and what it had not read is gone; read faster",
                code="events_lost",
            )
        return await self._read_back(self.id, position)

    async def _run(self) -> None:
        try:
            async with aclosing(self._conductor.run()) as batches:
                # Published before the turn comes, so that a client that waits can already leave, cancel and resume.
                self._publish(await anext(batches))
                await self._place.turn()
                async with asyncio.timeout(self._timeout_s):
                    async for batch in batches:
                        self._publish(batch)
        except TimeoutError:
            limit = f"{self._timeout_s:g} s, the server's limit"
            self._publish(self._conductor.fail(f"the generation ran longer than {limit}", "timeout"))
        except TurnedAway as error:
            self._publish(self._conductor.fail(str(error), error.code))
        except EngineRefusal as error:
            self._publish(self._conductor.fail(str(error), "invalid_request"))
        except EngineDead:
            self._publish(self._conductor.fail("the engine has stopped", "engine_dead"))
            self._on_engine_dead()
        except EngineError as error:
            logger.error("generation %s: %s", self.id, error)
            message = "the engine failed on this request; it can be sent again"
            self._publish(self._conductor.fail(message, "engine_error"))
        except Exception:
            logger.exception("generation %s failed", self.id)
            self._publish(self._conductor.fail("internal error; the server's log has it", "internal_error"))

    def _settle(self, _: asyncio.Task[None]) -> None:
        # Here and not in _run: a task that is cancelled before its first step never enters its body.
        self._place.release()
        if not self.finished:
            self._publish(self._conductor.cancel())

    def _publish(self, batch: Sequence[Event]) -> None:
        if not batch:
            return
        self.buffer.add(batch)
        self._is_finished = batch[-1].type in TERMINAL_TYPES
        if self._is_finished:
            self.finished_at = self._now()
        self._observe(batch)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
