"""POST /v1/chat/completions. If the client leaves early, the generation is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from steiner.server.api.chat.chunks import chat_completion, chat_stream
from steiner.server.api.chat.completion import ChatCompletion
from steiner.server.api.chat.request import ChatRequest, StreamOptions
from steiner.server.api.chat.usage import ToldUsage
from steiner.server.api.dependencies import CallerOfRequest, ServiceOfApp, stream_of
from steiner.server.api.documentation.examples import CHAT
from steiner.server.api.documentation.responses import CHUNK_STREAM, OF_A_GENERATION, refusals

Answer = TypeVar("Answer")

router = APIRouter(tags=["chat"])


async def until_disconnect(answer: Awaitable[Answer], request: Request, cancel: Callable[[], None]) -> Answer:
    """The answer. If the client leaves first, `cancel` ends the generation, and nobody reads the result."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await answer
    finally:
        watcher.cancel()
        cancel()


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
    choices = await service.dispatch.start_choices(body, "chat", caller, retain=False)

    def cancel() -> None:
        for generation in choices:
            generation.cancel()

    if body.stream:
        options = body.stream_options
        return stream_of(service, chat_stream(choices, _told_usage(options)), cancel=cancel)
    return JSONResponse(await until_disconnect(chat_completion(choices), request, cancel))


def _told_usage(options: StreamOptions | None) -> ToldUsage:
    # As in vLLM the second has no effect without the first.
    if options is None or not options.include_usage:
        return "never"
    return "always" if options.continuous_usage_stats else "at the end"
