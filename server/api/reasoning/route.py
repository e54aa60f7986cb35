"""The step stream: POST /v1/reasoning, and reading, resuming and ending a generation by its id."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Query, Response

from steiner.reasoning.events import Event
from steiner.reasoning.trace import Trace
from steiner.server.access.keys import Caller
from steiner.server.api.chat.request import ReasoningRequest
from steiner.server.api.dependencies import CallerOfRequest, ServiceOfApp, stream_of
from steiner.server.api.documentation.examples import REASONING
from steiner.server.api.documentation.responses import OF_A_GENERATION, OF_A_LOOK_UP, STEP_STREAM, refusals
from steiner.server.api.event_json import event_json
from steiner.server.errors import Gone, InvalidRequest, NotReady, UnknownResource
from steiner.server.generations.readable import Readable
from steiner.server.http.event_stream import EventStream
from steiner.server.model.service import Service

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


router = APIRouter(prefix="/v1/reasoning", tags=["reasoning"])

GenerationId = Annotated[
    str, Path(description="The `id` that `reasoning.started` gave.", examples=["rsn_5f0c"])
]
LastEventId = Annotated[
    str | None, Header(description="The `id` of the last event that was read; 0 or none: from the start.")
]
AfterEvent = Annotated[
    str | None,
    Query(alias="last_event_id", description="The same, for clients that cannot set headers; those win."),
]


async def _find(service: Service, generation_id: str, caller: Caller) -> Readable:
    generation = await service.generations.find(generation_id, caller.name)
    if generation is None:
        raise UnknownResource(
            f"no generation {generation_id!r}; its id is that of the event reasoning.started",
            param="id",
            code="generation_not_found",
        )
    return generation


@router.post(
    "",
    summary="Reason, as a stream of typed events",
    status_code=200,
    response_class=EventStream,
    responses={200: {"content": STEP_STREAM}, **refusals(*OF_A_GENERATION)},
)
async def create_reasoning(
    body: Annotated[ReasoningRequest, Body(openapi_examples=REASONING)],
    service: ServiceOfApp,
    caller: CallerOfRequest,
) -> EventStream:
    """Server-sent events, each named by its type. The generation goes on when the client leaves."""
    generation = await service.dispatch.start(body, "reasoning", caller, retain=True)
    # RFC 9110, 8.7; relative to the request's own address, so right behind any prefix.
    return stream_of(service, reasoning_stream(generation), location=f"reasoning/{generation.id}")


@router.get("/{generation_id}", summary="The trace so far", responses=refusals(*OF_A_LOOK_UP))
async def read_trace(generation_id: GenerationId, service: ServiceOfApp, caller: CallerOfRequest) -> Trace:
    """The tree of steps, with the answer when there is one."""
    return (await _find(service, generation_id, caller)).trace


@router.get(
    "/{generation_id}/events",
    summary="Resume the stream",
    status_code=200,
    response_class=EventStream,
    responses={
        200: {"content": STEP_STREAM},
        204: {"description": "The end was read before; a browser's EventSource stops asking."},
        **refusals(*OF_A_LOOK_UP),
    },
)
async def resume_events(
    generation_id: GenerationId,
    service: ServiceOfApp,
    caller: CallerOfRequest,
    last_event_id: LastEventId = None,
    after_event: AfterEvent = None,
) -> Response:
    """The events after `Last-Event-ID`, without loss; 204 when there are no more and never will be.

    A browser's EventSource sends the header by itself when it reconnects; the first connection to a
    generation that was begun elsewhere has the number in the query instead.
    """
    generation = await _find(service, generation_id, caller)
    after = _sequence_number(
        ("Last-Event-ID", last_event_id) if last_event_id else ("last_event_id", after_event),
        generation.max_seen,
    )
    if after + 1 < generation.first_sequence_number:
        raise Gone(
            f"events up to {generation.first_sequence_number - 1} of {generation_id!r} are gone: they could not "
            f"be saved, and memory holds {service.settings.max_stream_bytes} bytes of a stream "
            "(max_stream_bytes); the trace is whole",
            param="Last-Event-ID",
            code="events_gone",
        )
    if generation.finished and after == generation.last_sequence_number:
        return Response(status_code=204)
    return stream_of(service, reasoning_stream(generation, after))


@router.delete(
    "/{generation_id}",
    status_code=204,
    summary="Cancel, or remove a finished one",
    responses=refusals(*OF_A_LOOK_UP),
)
async def delete_generation(
    generation_id: GenerationId, service: ServiceOfApp, caller: CallerOfRequest
) -> Response:
    """A running generation is cancelled and its trace kept; a finished one is removed."""
    generation = await _find(service, generation_id, caller)
    if generation.finished:
        await service.generations.remove(generation_id)
    else:
        await generation.stop()
    return Response(status_code=204)


def _sequence_number(given: tuple[str, str | None], newest: int) -> int:
    name, value = given
    text = (value or "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise InvalidRequest(
            f"{name} must be the id of an event, a whole number from 0; given {text[:40]!r}",
            param=name,
            code="invalid_value",
        )
    if int(text) > newest:
        raise InvalidRequest(
            f"{name} {text} is beyond the newest event, {newest}",
            param=name,
            code="invalid_value",
        )
    return int(text)
