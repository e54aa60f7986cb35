"""POST /v1/chat/completions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from steiner.server.chunk_stream import ChunkStream
from steiner.server.routes.dependencies import CallerOfRequest, ServiceOfApp
from steiner.server.routes.disconnect import until_disconnect
from steiner.server.routes.documented import CHUNK_STREAM, OF_A_GENERATION, refusals
from steiner.server.routes.examples import CHAT
from steiner.server.schemas.chat import ChatRequest, StreamOptions
from steiner.server.schemas.chat_completion import ChatCompletion
from steiner.server.wire.chat import chat_completion, chat_stream
from steiner.server.wire.chat_usage import ToldUsage

router = APIRouter(tags=["chat"])


@router.post(
    "/v1/chat/completions",
    summary="Chat completion with typed reasoning",
    responses={200: {"model": ChatCompletion, "content": CHUNK_STREAM}, **refusals(*OF_A_GENERATION)},
)
async def create_chat_completion(
    body: Annotated[ChatRequest, Body(openapi_examples=CHAT)],
    request: Request,
    service: ServiceOfApp,
    caller: CallerOfRequest,
) -> Response:
    """OpenAI's chat completions; the reasoning comes beside the answer, as text and as steps.

    With `stream` the answer is a stream of chunks. Leaving early ends the generation.
    """
    choices = await service.start_choices(body, "chat", caller, retain=False)

    def cancel() -> None:
        for generation in choices:
            generation.cancel()

    if body.stream:
        options = body.stream_options
        return ChunkStream(
            chat_stream(choices, _told_usage(options)),
            keep_alive_s=service.settings.keep_alive_s,
            send_timeout_s=service.settings.send_timeout_s,
            on_close=cancel,
        )
    return JSONResponse(await until_disconnect(chat_completion(choices), request, cancel))


def _told_usage(options: StreamOptions | None) -> ToldUsage:
    # As in vLLM the second has no effect without the first.
    if options is None or not options.include_usage:
        return "never"
    return "always" if options.continuous_usage_stats else "at the end"
