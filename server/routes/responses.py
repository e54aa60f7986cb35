"""OpenAI's Responses API: create, read, resume, cancel, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from steiner.server.access.caller import Caller
from steiner.server.chunk_stream import ChunkStream
from steiner.server.errors import Gone, InvalidRequest, UnknownResource
from steiner.server.readable import Readable
from steiner.server.resolution import resolve_sampling
from steiner.server.routes.dependencies import CallerOfRequest, ServiceOfApp
from steiner.server.routes.disconnect import until_disconnect
from steiner.server.routes.documented import OF_A_GENERATION, OF_A_LOOK_UP, RESPONSE_STREAM, refusals
from steiner.server.routes.examples import RESPONSES
from steiner.server.schemas.response_object import DeletedResponse, InputItemList, ResponseObject
from steiner.server.schemas.response_queries import InputItemsQuery, RetrieveQuery
from steiner.server.schemas.response_tools import flat_name
from steiner.server.schemas.responses import ResponseRequest
from steiner.server.schemas.responses_not_offered import OUTPUT_LOGPROBS
from steiner.server.service import Service
from steiner.server.sse import EventStream
from steiner.server.wire.response_events import response_so_far, response_stream, whole_response
from steiner.server.wire.response_input import (
    Item,
    ResponseRecord,
    carried,
    generation_of,
    items_of,
    page_of,
    require_answers,
    settings_of,
)

router = APIRouter(prefix="/v1/responses", tags=["responses"])


ResponseId = Annotated[str, Path(description="The `id` of the response.", examples=["resp_5f0c"])]


async def _find(service: Service, response_id: str, caller: Caller) -> Readable:
    generation = await service.generations.find(response_id, caller.name)
    if generation is None or generation.endpoint != "responses":
        raise UnknownResource(
            f"no response {response_id!r}; one that was created with store=false is not kept",
            param="response_id",
            code="response_not_found",
        )
    if generation.first_sequence_number > 1:
        raise Gone(
            f"the beginning of response {response_id!r} is gone: it could not be saved, and memory holds "
            f"{service.settings.max_stream_bytes} bytes of a stream (max_stream_bytes)",
            param="response_id",
            code="events_gone",
        )
    return generation


def _stream(service: Service, generation: Readable, after: int = -1) -> EventStream:
    settings = service.settings
    return EventStream(
        response_stream(generation, after),
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
    )


@router.post(
    "",
    summary="Create a response",
    responses={200: {"model": ResponseObject, "content": RESPONSE_STREAM}, **refusals(*OF_A_GENERATION)},
)
async def create_response(
    body: Annotated[ResponseRequest, Body(openapi_examples=RESPONSES)],
    request: Request,
    service: ServiceOfApp,
    caller: CallerOfRequest,
) -> Response:
    """One reasoning item for each step, refuted ones included, then the message.

    With `stream` the answer is a stream of events. Leaving early ends the generation, unless it is one in the
    background: that goes on, and is read by its id.
    """
    items = [*await _earlier(service, body, caller), *items_of(body.input)]
    require_answers(items)
    generation_request = generation_of(body, items)
    service.lifecycle.require_ready()
    assert service.loaded is not None
    sampling = resolve_sampling(generation_request, service.loaded.engine.default_sampling)
    record = ResponseRecord(
        items=tuple(items),
        settings=settings_of(body, sampling, service.settings.reasoning_effort),
        has_logprobs=body.includes_logprobs,
    )
    kept = record.model_dump(mode="json")
    try:
        generation = await service.start(
            generation_request, "responses", caller, retain=body.stored, record=kept
        )
    except InvalidRequest as error:
        error.param = error.param and flat_name(error.param)
        raise
    if body.background:
        if body.stream:
            return _stream(service, generation)
        return JSONResponse((await response_so_far(generation)).body.body())
    if body.stream:
        return ChunkStream(
            response_stream(generation),
            keep_alive_s=service.settings.keep_alive_s,
            send_timeout_s=service.settings.send_timeout_s,
            on_close=generation.cancel,
        )
    return JSONResponse(await until_disconnect(whole_response(generation), request, generation.cancel))


async def _earlier(service: Service, body: ResponseRequest, caller: Caller) -> list[Item]:
    """Items of the conversation before this body, as the response before it left it."""
    response_id = body.previous_response_id
    if response_id is None:
        return []
    try:
        generation = await _find(service, response_id, caller)
    except (UnknownResource, Gone) as error:
        raise InvalidRequest(
            error.message, param="previous_response_id", code="previous_response_not_found"
        ) from error
    earlier = (await response_so_far(generation)).body
    if earlier.status not in ("completed", "incomplete"):
        raise InvalidRequest(
            f"response {response_id!r} is {earlier.status}; only one that is completed or incomplete can be "
            "continued",
            param="previous_response_id",
            code="previous_response_not_completed",
        )
    return [*earlier.record.items, *carried(earlier.items)]


@router.get(
    "/{response_id}",
    summary="Read a response, or resume its stream",
    responses={200: {"model": ResponseObject, "content": RESPONSE_STREAM}, **refusals(*OF_A_LOOK_UP)},
)
async def retrieve_response(
    response_id: ResponseId,
    query: Annotated[RetrieveQuery, Query()],
    service: ServiceOfApp,
    caller: CallerOfRequest,
) -> Response:
    """The response as it stands; with `stream` its events behind `starting_after`, without loss."""
    generation = await _find(service, response_id, caller)
    if query.includes_logprobs and not ResponseRecord.model_validate(generation.request).has_logprobs:
        raise InvalidRequest(
            f"response {response_id!r} was created without log probabilities; include {OUTPUT_LOGPROBS} there",
            param="include",
            code="invalid_value",
        )
    if not query.stream:
        return JSONResponse((await response_so_far(generation)).body.body())
    after = -1 if query.starting_after is None else query.starting_after
    # Of one that runs elsewhere not all news is known here.
    if after >= 0 and generation.max_seen == generation.last_sequence_number:
        newest = (await response_so_far(generation)).next_number - 1
        if after > newest:
            raise InvalidRequest(
                f"starting_after {after} is beyond the newest event, {newest}",
                param="starting_after",
                code="invalid_value",
            )
    return _stream(service, generation, after)


@router.post(
    "/{response_id}/cancel",
    summary="Cancel a background response",
    responses={200: {"model": ResponseObject}, **refusals(*OF_A_LOOK_UP)},
)
async def cancel_response(
    response_id: ResponseId, service: ServiceOfApp, caller: CallerOfRequest
) -> Response:
    """Its status is then `cancelled`, and what it has said is kept; without effect on one that has finished."""
    generation = await _find(service, response_id, caller)
    if not ResponseRecord.model_validate(generation.request).background:
        raise InvalidRequest(
            f"response {response_id!r} was not created with background=true; to end it, close its connection",
            param="response_id",
            code="not_in_background",
        )
    await generation.stop()
    return JSONResponse((await response_so_far(generation)).body.body())


@router.delete("/{response_id}", summary="Delete a response", responses=refusals(*OF_A_LOOK_UP))
async def delete_response(
    response_id: ResponseId, service: ServiceOfApp, caller: CallerOfRequest
) -> DeletedResponse:
    """It is gone, cancelled before if it runs; responses that continue it keep what they took from it."""
    generation = await _find(service, response_id, caller)
    await generation.stop()
    await service.generations.remove(response_id)
    return DeletedResponse(id=response_id)


@router.get(
    "/{response_id}/input_items",
    summary="List the input of a response",
    responses=refusals(*OF_A_LOOK_UP),
)
async def list_input_items(
    response_id: ResponseId,
    query: Annotated[InputItemsQuery, Query()],
    service: ServiceOfApp,
    caller: CallerOfRequest,
) -> InputItemList:
    """All that the response was made from, that of the responses it continues included; newest first by default."""
    generation = await _find(service, response_id, caller)
    items = ResponseRecord.model_validate(generation.request).items
    return page_of(items, after=query.after, limit=query.limit, newest_first=query.order == "desc")
