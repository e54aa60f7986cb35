"""The typed step stream: one server-sent event each, named by its type, with its number as id."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence

from steiner.reasoning.events import Event
from steiner.server.api.event_json import event_json
from steiner.server.errors import NotReady
from steiner.server.generations.readable import Readable

logger = logging.getLogger(__name__)


def encode_events(events: Sequence[Event]) -> bytes:
    """Events as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    # JSON has no raw line feeds, so one data line holds a whole event.
    return "".join(
        f"id: {event.sequence_number}\nevent: {event.type}\ndata: {event_json(event)}\n\n" for event in events
    ).encode()


async def reasoning_stream(generation: Readable, after: int = 0) -> AsyncGenerator[bytes, None]:
    """The stream from the event numbered `after` + 1, one piece per engine update.

    If the store fails on the way, the stream just ends. The client resumes, and that request gets the reason.
    """
    try:
        async for events in generation.events(after):
            yield encode_events(events)
    except NotReady as error:
        logger.warning("a stream of %s ends early: %s", generation.id, error.message)
