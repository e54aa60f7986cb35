"""The typed step stream: one server-sent event each, named by its type, with its number as id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from steiner.reasoning.events import Event
from steiner.server.readable import Readable


def encode_events(events: Sequence[Event]) -> bytes:
    """Events as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    # JSON has no raw line feeds, so one data line holds a whole event.
    return "".join(
        f"id: {event.sequence_number}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n"
        for event in events
    ).encode()


async def reasoning_stream(generation: Readable, after: int = 0) -> AsyncIterator[bytes]:
    """The stream from the event numbered `after` + 1, one piece per engine update."""
    async for events in generation.events(after):
        yield encode_events(events)
