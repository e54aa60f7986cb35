"""Responses that are stored, by their ids: read, resume, cancel, delete, and list what they were made from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from steiner.server.access.step_seal import SealStep
from steiner.server.api.dependencies import CallerOfRequest, ServiceOfApp, stream_of
from steiner.server.api.documentation.responses import OF_A_LOOK_UP, RESPONSE_STREAM, refusals
from steiner.server.api.responses.events import response_so_far, response_stream
from steiner.server.api.responses.history import find_response, seal_of
from steiner.server.api.responses.input import Item, ResponseRecord, page_of
from steiner.server.api.responses.not_offered import OUTPUT_LOGPROBS
from steiner.server.api.responses.output import SEALED
from steiner.server.api.responses.queries import InputItemsQuery, RetrieveQuery
from steiner.server.api.responses.response_object import DeletedResponse, InputItemList, ResponseObject
from steiner.server.errors import InvalidRequest

router = APIRouter()

ResponseId = Annotated[str, Path(description="The `id` of the response.", examples=["resp_5f0c"])]


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
    seal = seal_of(service, generation, asked=query.seals_reasoning)
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
    return stream_of(service, response_stream(generation, after, seal))


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
    seal = seal_of(service, generation)
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
        seal = service.step_seal.sealing_for(generation.owner)
        items = tuple(_sealed(item, seal) for item in items)
    return page_of(items, after=query.after, limit=query.limit, newest_first=query.order == "desc")


def _sealed(item: Item, seal: SealStep) -> Item:
    return {**item, SEALED: seal(item["step"])} if "step" in item else item
