"""A typed client for `POST /v1/reasoning`, which survives lost connections.

    client = ReasoningClient("http://127.0.0.1:8000")
    for event in client.stream("make 22 from 15 4 11"):
        print(event)

Each method has a twin for code that awaits (`stream_async`, ...). In a notebook, a trace shows itself as a picture.
The errors, with what each means:

    ClientError(SteinerError)
    +-- RequestRefusedError    the server answered 4xx or 5xx; carries status, param and code
    +-- ConnectionLostError    no answer, or the stream broke and could not be resumed
    +-- UnreadableEventError   an event that this version does not know
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import httpx
from anyio.from_thread import start_blocking_portal
from pydantic import ValidationError

from steiner.client.event_stream import EventStreamDecoder, Message
from steiner.picture.notebook import show_traces
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.events import EVENT_ADAPTER, TERMINAL_TYPES, Event
from steiner.reasoning.trace import Trace

MAX_RECONNECTS = 5
FIRST_PAUSE_S = 0.2
#: Longer than the time between the server's pings, so that silence means a dead connection.
READ_TIMEOUT_S = 60.0
#: A server whose processor is busy with its own engine accepts connections late, but it accepts them.
CONNECT_TIMEOUT_S = 30.0
NO_CONTENT = 204

Result = TypeVar("Result")
Messages = Sequence[Mapping[str, Any]]
show_traces()


class ClientError(SteinerError):
    """Something between this client and the server."""


class RequestRefusedError(ClientError):
    """The server refused; the message is its own, on one line."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


class ConnectionLostError(ClientError):
    """No answer from the server, or a stream that broke and could not be resumed."""


class UnreadableEventError(ClientError):
    """The server sent an event that this version does not know."""


class _NothingMoreError(ClientError):
    """The end was read before."""


@dataclass(slots=True)
class _Position:
    """How far a stream was read, and how often in a row it broke at that point."""

    url: str
    generation_id: str | None = None
    last_number: int = 0
    num_failures: int = 0

    def begins_at(self, location: str | None) -> None:
        """The generation's own address, which the server sends before the first event."""
        if location and self.generation_id is None:
            self.generation_id = location.rsplit("/", 1)[-1]

    def moves_to(self, event: Event) -> bool:
        """Whether the event is new; a resumed stream may repeat what was already seen."""
        if event.sequence_number <= self.last_number:
            return False
        self.last_number, self.num_failures = event.sequence_number, 0
        if event.type == "reasoning.started":
            self.generation_id = event.id
        return True

    def pause_after(self, lost: str, *, is_unasked: bool) -> float:
        """Seconds until the next attempt; raises ConnectionLostError if there is no attempt left."""
        self.num_failures += 1
        if self.generation_id is None and (not is_unasked or self.num_failures > MAX_RECONNECTS):
            raise ConnectionLostError(f"No generation was started at {self.url}: {lost}.")
        if self.num_failures > MAX_RECONNECTS:
            raise ConnectionLostError(
                f"Lost the stream of {self.generation_id} after event {self.last_number}; "
                f"{MAX_RECONNECTS} attempts to resume it failed: {lost}."
            )
        return FIRST_PAUSE_S * 2.0 ** (self.num_failures - 1)

    @property
    def resume_path(self) -> str:
        return f"/v1/reasoning/{self.generation_id}/events"

    @property
    def resume_headers(self) -> dict[str, str]:
        return {"Last-Event-ID": str(self.last_number)}


class ReasoningClient:
    """One server, one key; every call opens its own connection."""

    def __init__(
        self, url: str, *, api_key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._transport = transport

    def stream(self, prompt: str | Messages, **options: Any) -> Generator[Event, None, None]:
        """`stream_async` for code that does not await; closing the iterator closes the connection."""
        return _one_by_one(self.stream_async(prompt, **options))

    def follow(self, generation_id: str, after: int = 0) -> Generator[Event, None, None]:
        """`follow_async` for code that does not await."""
        return _one_by_one(self.follow_async(generation_id, after))

    async def stream_async(self, prompt: str | Messages, **options: Any) -> AsyncGenerator[Event]:
        """Ask, and yield every event once, in order, up to `done`, `error` or `cancelled`.

        Args:
            prompt: the user's text, or a list of chat messages.
            options: further fields of the body (model, reasoning, temperature, ...); None counts as absent.

        Raises:
            RequestRefusedError: the server refused the request.
            ConnectionLostError: no answer, or the stream broke and could not be resumed.
            UnreadableEventError: the server has another version.
        """
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        given = {name: value for name, value in options.items() if value is not None}
        async with aclosing(self._events(_Position(self.url), {"messages": messages} | given)) as events:
            async for event in events:
                yield event

    async def follow_async(self, generation_id: str, after: int = 0) -> AsyncGenerator[Event]:
        """Every event after number `after` of a generation that was begun elsewhere, running or finished.

        Raises:
            RequestRefusedError: there is no such generation, or not for this key.
            ConnectionLostError, UnreadableEventError: as `stream_async`.
        """
        position = _Position(self.url, generation_id, after)
        async with aclosing(self._events(position)) as events:
            async for event in events:
                yield event

    async def _events(
        self, position: _Position, body: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Event]:
        async with self._open() as http:
            request = (
                http.build_request("GET", position.resume_path, headers=position.resume_headers)
                if body is None
                else http.build_request("POST", "/v1/reasoning", json=body)
            )
            while True:
                lost, is_unasked = "the stream ended before the generation did", False
                try:
                    async with aclosing(self._read(http, request, position)) as events:
                        async for event in events:
                            if position.moves_to(event):
                                yield event
                            if event.type in TERMINAL_TYPES:
                                return
                except _NothingMoreError:
                    return
                except httpx.TransportError as error:
                    lost = f"{type(error).__name__} {error}".strip()
                    # The server is busy: if there were none, the error would be another one.
                    is_unasked = isinstance(error, httpx.ConnectTimeout) and position.generation_id is None
                await asyncio.sleep(position.pause_after(lost, is_unasked=is_unasked))
                if not is_unasked:
                    request = http.build_request("GET", position.resume_path, headers=position.resume_headers)

    def cancel(self, generation_id: str) -> None:
        """Stop a running generation; its trace is kept on the server."""
        _wait(lambda: self.cancel_async(generation_id))

    def trace(self, generation_id: str) -> Trace:
        """The tree of a generation so far."""
        return _wait(lambda: self.trace_async(generation_id))

    def models(self) -> list[str]:
        """Names of the models that the server serves."""
        return _wait(self.models_async)

    async def cancel_async(self, generation_id: str) -> None:
        """`cancel` for code that awaits."""
        await self._call("DELETE", f"/v1/reasoning/{generation_id}")

    async def trace_async(self, generation_id: str) -> Trace:
        """`trace` for code that awaits."""
        return Trace.model_validate_json((await self._call("GET", f"/v1/reasoning/{generation_id}")).content)

    async def models_async(self) -> list[str]:
        """`models` for code that awaits."""
        return [entry["id"] for entry in (await self._call("GET", "/v1/models")).json()["data"]]

    async def _call(self, method: str, path: str) -> httpx.Response:
        async with self._open() as http:
            try:
                response = await http.request(method, path)
            except httpx.TransportError as error:
                raise ConnectionLostError(f"No answer from {self.url}: {error}.") from error
        _raise_if_refused(response)
        return response

    async def _read(
        self, http: httpx.AsyncClient, request: httpx.Request, position: _Position
    ) -> AsyncGenerator[Event]:
        """The events of one connection."""
        response = await http.send(request, stream=True)
        try:
            if response.is_error:
                await response.aread()
            _raise_if_refused(response)
            if response.status_code == NO_CONTENT:
                raise _NothingMoreError
            position.begins_at(response.headers.get("Content-Location"))
            decoder = EventStreamDecoder()
            async for chunk in response.aiter_bytes():
                for message in decoder.feed(chunk):
                    yield _event_of(message)
        finally:
            await response.aclose()

    def _open(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        return httpx.AsyncClient(
            base_url=self.url,
            headers=self._headers,
            timeout=timeout,
            transport=self._transport,
            verify=_certificates(),
        )


@cache
def _certificates() -> ssl.SSLContext:
    """The trusted authorities. Reading them takes longer than a short answer, so they are read once for all calls."""
    return httpx.create_ssl_context()


def _event_of(message: Message) -> Event:
    try:
        return EVENT_ADAPTER.validate_json(message.data)
    except ValidationError as error:
        raise UnreadableEventError(
            f"Cannot read the event {message.event!r} (number {message.last_event_id}): {error}. "
            "Client and server should be of one version."
        ) from error


def _one_by_one(events: AsyncGenerator[Event]) -> Generator[Event, None, None]:
    """The events, read on a loop in a thread of its own: in a notebook this thread's loop is taken."""
    with start_blocking_portal(name="steiner client") as portal:
        while (event := portal.call(_next, events)) is not None:
            try:
                yield event
            except GeneratorExit:
                portal.call(events.aclose)
                raise
            # Ctrl-C during a call needs no more: the portal cancels what runs, and that closes the connection.


def _wait(call: Callable[[], Awaitable[Result]]) -> Result:
    with start_blocking_portal(name="steiner client") as portal:
        return portal.call(call)


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)


def _raise_if_refused(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        error = response.json()["error"]
        message, param, code = str(error["message"]), error.get("param"), error.get("code")
    except (ValueError, KeyError, TypeError):
        # Not our server, or a proxy in front of it: all there is to show is what it said.
        message, param, code = response.text.strip()[:500] or response.reason_phrase, None, None
    raise RequestRefusedError(response.status_code, " ".join(message.split()), param, code)
