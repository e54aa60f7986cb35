"""OpenAI's Responses API: create, read, resume, cancel, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from steiner.server.access.step_seal import SealStep
from steiner.server.api.chat.route import until_disconnect
from steiner.server.api.dependencies import CallerOfRequest, ServiceOfApp
from steiner.server.api.documentation.examples import RESPONSES
from steiner.server.api.documentation.responses import (
    OF_A_GENERATION,
    OF_A_LOOK_UP,
    RESPONSE_STREAM,
    refusals,
)
from steiner.server.api.responses.events import response_so_far, response_stream, whole_response
from steiner.server.api.responses.history import conversation_of, find_response, new_suffix
from steiner.server.api.responses.input import (
    Item,
    ResponseRecord,
    generation_of,
    page_of,
    require_answers,
    settings_of,
)
from steiner.server.api.responses.not_offered import OUTPUT_LOGPROBS
from steiner.server.api.responses.output import SEALED
from steiner.server.api.responses.queries import InputItemsQuery, RetrieveQuery
from steiner.server.api.responses.request import ResponseRequest
from steiner.server.api.responses.response_object import DeletedResponse, InputItemList, ResponseObject
from steiner.server.api.responses.tools import flat_name
from steiner.server.errors import InvalidRequest
from steiner.server.generations.readable import Readable
from steiner.server.http.event_stream import EventStream
from steiner.server.intake.resolution import resolve_sampling
from steiner.server.model.service import Service

router = APIRouter(prefix="/v1/responses", tags=["responses"])


ResponseId = Annotated[str, Path(description="The `id` of the response.", examples=["resp_5f0c"])]


def _seal(service: Service, generation: Readable, *, asked: bool = False) -> SealStep | None:
    """What seals the steps, if the response was created with sealed steps or they are asked for now."""
    if asked or ResponseRecord.model_validate(generation.request).seals_reasoning:
        return service.step_seal.sealing_for(generation.owner)
    return None


def _stream(
    service: Service,
    generation: Readable,
    seal: SealStep | None,
    after: int = -1,
    cancel: Callable[[], None] | None = None,
) -> EventStream:
    settings = service.settings
    return EventStream(
        response_stream(generation, after, seal),
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
        cancel=cancel,
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
    suffix = new_suffix()
    items = await conversation_of(service, body, caller, suffix)
    require_answers(items)
    generation_request = generation_of(body, items)
    service.lifecycle.require_ready()
    assert service.loaded is not None
    sampling = resolve_sampling(generation_request, service.loaded.engine.default_sampling)
    record = ResponseRecord(
        items=tuple(items),
        settings=settings_of(body, sampling, service.settings.reasoning_effort),
        has_logprobs=body.includes_logprobs,
        seals_reasoning=body.seals_reasoning,
    )
    kept = record.model_dump(mode="json")
    try:
        generation = await service.dispatch.start(
            generation_request, "responses", caller, retain=body.stored, record=kept, id_suffix=suffix
        )
    except InvalidRequest as error:
        error.param = error.param and flat_name(error.param)
        raise
    seal = _seal(service, generation)
    if body.background:
        if body.stream:
            return _stream(service, generation, seal)
        return JSONResponse((await response_so_far(generation, seal)).body.body())
    if body.stream:
        return _stream(service, generation, seal, cancel=generation.cancel)
    return JSONResponse(await until_disconnect(whole_response(generation, seal), request, generation.cancel))


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
    generation = await find_response(service, response_id, caller)
    if query.includes_logprobs and not ResponseRecord.model_validate(generation.request).has_logprobs:
        raise InvalidRequest(
            f"response {response_id!r} was created without log probabilities; include {OUTPUT_LOGPROBS} there",
            param="include",
            code="invalid_value",
        )
    seal = _seal(service, generation, asked=query.seals_reasoning)
    if not query.stream:
        return JSONResponse((await response_so_far(generation, seal)).body.body())
    after = -1 if query.starting_after is None else query.starting_after
    # If it runs elsewhere, this process may not know the newest events.
    if after >= 0 and generation.max_seen == generation.last_sequence_number:
        newest = (await response_so_far(generation)).next_number - 1
        if after > newest:
            raise InvalidRequest(
                f"starting_after {after} is beyond the newest event, {newest}",
                param="starting_after",
                code="invalid_value",
            )
    return _stream(service, generation, seal, after)


@router.post(
    "/{response_id}/cancel",
    summary="Cancel a background response",
    responses={200: {"model": ResponseObject}, **refusals(*OF_A_LOOK_UP)},
)
async def cancel_response(
    response_id: ResponseId, service: ServiceOfApp, caller: CallerOfRequest
) -> Response:
    """Its status is then `cancelled`, and what it has said is kept; without effect on one that has finished."""
    generation = await find_response(service, response_id, caller)
    if not ResponseRecord.model_validate(generation.request).background:
        raise InvalidRequest(
            f"response {response_id!r} was not created with background=true; to end it, close its connection",
            param="response_id",
            code="not_in_background",
        )
    await generation.stop()
    seal = _seal(service, generation)
    return JSONResponse((await response_so_far(generation, seal)).body.body())


@router.delete("/{response_id}", summary="Delete a response", responses=refusals(*OF_A_LOOK_UP))
async def delete_response(
    response_id: ResponseId, service: ServiceOfApp, caller: CallerOfRequest
) -> DeletedResponse:
    """It is gone, cancelled before if it runs; responses that continue it keep what they took from it."""
    generation = await find_response(service, response_id, caller)
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
    generation = await find_response(service, response_id, caller)
    items = ResponseRecord.model_validate(generation.request).items
    if query.seals_reasoning:
        items = tuple(_sealed(item, service.step_seal.sealing_for(generation.owner)) for item in items)
    return page_of(items, after=query.after, limit=query.limit, newest_first=query.order == "desc")


def _sealed(item: Item, seal: SealStep) -> Item:
    return {**item, SEALED: seal(item["step"])} if "step" in item else item
