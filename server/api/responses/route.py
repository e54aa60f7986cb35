"""OpenAI's Responses API: POST /v1/responses; what it stores is served beside it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from steiner.server.api.chat.route import until_disconnect
from steiner.server.api.dependencies import CallerOfRequest, ServiceOfApp, stream_of
from steiner.server.api.documentation.examples import RESPONSES
from steiner.server.api.documentation.responses import OF_A_GENERATION, RESPONSE_STREAM, refusals
from steiner.server.api.responses import stored
from steiner.server.api.responses.events import response_so_far, response_stream, whole_response
from steiner.server.api.responses.history import conversation_of, new_suffix, seal_of
from steiner.server.api.responses.input import ResponseRecord, generation_of, require_answers, settings_of
from steiner.server.api.responses.request import ResponseRequest
from steiner.server.api.responses.response_object import ResponseObject
from steiner.server.api.responses.tools import flat_name
from steiner.server.errors import InvalidRequest
from steiner.server.intake.resolution import resolve_sampling

router = APIRouter(prefix="/v1/responses", tags=["responses"])


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
    seal = seal_of(service, generation)
    if body.stream:
        cancel = None if body.background else generation.cancel
        return stream_of(service, response_stream(generation, seal=seal), cancel=cancel)
    if body.background:
        return JSONResponse((await response_so_far(generation, seal)).body.body())
    return JSONResponse(await until_disconnect(whole_response(generation, seal), request, generation.cancel))


router.include_router(stored.router)
