"""The client over a scripted transport: what it sends, yields, resumes and refuses."""

import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from steiner.client import ReasoningClient
from steiner.client import client as client_module
from steiner.client.client import (
    MAX_RECONNECTS,
    ConnectionLostError,
    RequestRefusedError,
    UnreadableEventError,
)

URL = "http://server"
EVENTS: list[dict[str, Any]] = [
    {"type": "reasoning.started", "id": "rsn_1", "model": "m", "protocol": "steiner", "policy": {}},
    {"type": "answer.delta", "text": "4"},
    {"type": "answer.delta", "text": "2"},
    {"type": "answer.done", "text": "42", "num_tokens": 2, "finish_reason": "stop"},
    {"type": "done", "finish_reason": "stop"},
]
ALL = range(1, len(EVENTS) + 1)


def sse(*numbers: int) -> bytes:
    """The events with these sequence numbers, as they stand on the wire."""
    blocks = []
    for number in numbers:
        event = {"sequence_number": number} | EVENTS[number - 1]
        blocks.append(f"id: {number}\r\nevent: {event['type']}\r\ndata: {json.dumps(event)}\r\n\r\n")
    return ": ping\r\n\r\n".join(blocks).encode()


class Body(httpx.AsyncByteStream):
    """Bytes, and then perhaps a broken connection."""

    def __init__(self, data: bytes, *, breaks: bool = False) -> None:
        self._data = data
        self._breaks = breaks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for begin in range(0, len(self._data), 7):
            yield self._data[begin : begin + 7]
        if self._breaks:
            raise httpx.ReadError("connection reset")

    async def aclose(self) -> None:
        self.closed = True


class Transport(httpx.AsyncBaseTransport):
    """Answers each request with the next item of a script and keeps what was asked."""

    def __init__(self, *script: httpx.Response | httpx.TransportError) -> None:
        self._script: Iterator[httpx.Response | httpx.TransportError] = iter(script)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        item = next(self._script)
        if isinstance(item, httpx.TransportError):
            raise item
        return item


def stream_of(*numbers: int, breaks: bool = False) -> httpx.Response:
    return httpx.Response(200, stream=Body(sse(*numbers), breaks=breaks))


def numbers_from(transport: Transport) -> list[int]:
    return [event.sequence_number for event in ReasoningClient(URL, transport=transport).stream("hi")]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.0)


def test_sends_the_prompt_and_the_options_that_are_given() -> None:
    transport = Transport(stream_of(*ALL))
    client = ReasoningClient(URL + "/", api_key="secret", transport=transport)
    assert list(client.stream("hi", model=None, reasoning_effort="low"))
    [request] = transport.requests
    assert (request.method, str(request.url)) == ("POST", "http://server/v1/reasoning")
    assert request.headers["Authorization"] == "Bearer secret"
    assert json.loads(request.content) == {
        "messages": [{"role": "user", "content": "hi"}],
        "reasoning_effort": "low",
    }


def test_a_conversation_is_sent_as_it_is() -> None:
    transport = Transport(stream_of(*ALL))
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert list(ReasoningClient(URL, transport=transport).stream(messages))
    assert json.loads(transport.requests[0].content)["messages"] == messages


async def test_async_and_sync_yield_the_same_events() -> None:
    client = ReasoningClient(URL, transport=Transport(stream_of(*ALL)))
    events = [event async for event in client.stream_async("hi")]
    assert [event.sequence_number for event in events] == list(ALL)
    assert [event.type for event in events] == [event["type"] for event in EVENTS]


def test_sync_yields_every_event() -> None:
    assert numbers_from(Transport(stream_of(*ALL))) == list(ALL)


def test_a_stream_that_breaks_before_its_first_event_is_taken_up() -> None:
    broken = httpx.Response(
        200, headers={"Content-Location": "reasoning/rsn_1"}, stream=Body(b"", breaks=True)
    )
    transport = Transport(broken, stream_of(*ALL))
    assert numbers_from(transport) == list(ALL)
    assert str(transport.requests[1].url) == f"{URL}/v1/reasoning/rsn_1/events"
    assert transport.requests[1].headers["Last-Event-ID"] == "0"


@pytest.mark.parametrize("breaks", [True, False], ids=["reset", "silent end"])
def test_a_broken_stream_goes_on_behind_the_last_event(breaks: bool) -> None:
    transport = Transport(stream_of(1, 2, breaks=breaks), stream_of(3, breaks=breaks), stream_of(4, 5))
    assert numbers_from(transport) == list(ALL)
    resumed = transport.requests[1:]
    assert [request.url.path for request in resumed] == ["/v1/reasoning/rsn_1/events"] * 2
    assert [request.headers["Last-Event-ID"] for request in resumed] == ["2", "3"]


def test_a_message_cut_by_the_break_is_read_again_whole() -> None:
    cut = httpx.Response(200, stream=Body(sse(1, 2)[:-20], breaks=True))
    assert numbers_from(Transport(cut, stream_of(2, 3, 4, 5))) == list(ALL)


def test_events_that_are_repeated_are_yielded_once() -> None:
    assert numbers_from(Transport(stream_of(1, 2, 3, breaks=True), stream_of(*ALL))) == list(ALL)


def test_a_server_that_stays_away_is_given_up() -> None:
    away = [httpx.ConnectError("refused")] * (MAX_RECONNECTS + 1)
    transport = Transport(stream_of(1, 2, breaks=True), *away)
    with pytest.raises(ConnectionLostError, match=r"rsn_1 after event 2; 5 attempts .* refused"):
        numbers_from(transport)
    assert len(transport.requests) == 1 + MAX_RECONNECTS


def test_progress_starts_the_count_of_attempts_anew() -> None:
    away = [httpx.ConnectError("refused")] * (MAX_RECONNECTS - 1)
    transport = Transport(
        stream_of(1, breaks=True), *away, stream_of(2, breaks=True), *away, stream_of(3, 4, 5)
    )
    assert numbers_from(transport) == list(ALL)


def test_a_request_that_never_started_is_not_sent_twice() -> None:
    transport = Transport(httpx.ConnectError("refused"))
    with pytest.raises(ConnectionLostError, match=r"No generation was started at http://server: .*refused"):
        numbers_from(transport)
    assert len(transport.requests) == 1


def test_a_refusal_carries_what_the_server_said() -> None:
    error = {
        "message": "max_steps is 0",
        "type": "invalid_request_error",
        "param": "reasoning",
        "code": "bad",
    }
    with pytest.raises(RequestRefusedError, match="max_steps is 0") as caught:
        numbers_from(Transport(httpx.Response(400, json={"error": error})))
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, "reasoning", "bad")


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(502, text="<html>Bad gateway</html>"), "<html>Bad gateway</html>"),
        (httpx.Response(503), "Service Unavailable"),
        (httpx.Response(404, json={"detail": "Not Found"}), '{"detail":"Not Found"}'),
    ],
)
def test_a_refusal_that_is_not_ours_is_quoted(response: httpx.Response, message: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        numbers_from(Transport(response))
    assert str(caught.value) == message


def test_an_event_of_another_version_is_named() -> None:
    body = Body(b'id: 1\nevent: dream\ndata: {"type": "dream", "sequence_number": 1}\n\n')
    with pytest.raises(UnreadableEventError, match="'dream'"):
        numbers_from(Transport(httpx.Response(200, stream=body)))


def test_closing_the_iterator_closes_the_connection() -> None:
    body = Body(sse(*ALL))
    with closing(
        ReasoningClient(URL, transport=Transport(httpx.Response(200, stream=body))).stream("hi")
    ) as events:
        assert next(events).sequence_number == 1
        assert not body.closed
    assert body.closed


class Silence(Body):
    """The first event, and then nothing for as long as the connection is open; Ctrl-C is pressed meanwhile."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data
        # By then this has been waited for. A terminal signals the main thread, not the one that reads.
        await asyncio.sleep(0.2)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        await asyncio.sleep(60)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """What starts in the background, as a whole test run may, ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.timeout(30)
def test_ctrl_c_during_a_wait_closes_the_connection() -> None:
    body = Silence(sse(1))
    events = ReasoningClient(URL, transport=Transport(httpx.Response(200, stream=body))).stream("hi")
    assert next(events).sequence_number == 1
    with pytest.raises(KeyboardInterrupt):
        next(events)
    assert body.closed
    assert "steiner client" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        (lambda client: client.cancel("rsn_1"), "DELETE", "/v1/reasoning/rsn_1"),
        (lambda client: client.models(), "GET", "/v1/models"),
    ],
)
def test_asks_for_the_one_thing(call: Callable[[ReasoningClient], object], method: str, path: str) -> None:
    transport = Transport(httpx.Response(200, json={"data": [{"id": "m"}]}))
    assert call(ReasoningClient(URL, transport=transport)) in (["m"], None)
    assert [(request.method, request.url.path) for request in transport.requests] == [(method, path)]


def test_a_trace_is_read_into_its_type() -> None:
    body = {
        "id": "rsn_1",
        "protocol": "steiner",
        "answer": "42",
        "steps": [{"id": 1, "depth": 1, "parent": 0}],
    }
    transport = Transport(httpx.Response(200, json=body))
    trace = ReasoningClient(URL, transport=transport).trace("rsn_1")
    assert (trace.answer, trace.steps[0].depth) == ("42", 1)
    assert transport.requests[0].url.path == "/v1/reasoning/rsn_1"


async def test_the_sync_side_works_where_a_loop_runs_already() -> None:
    """As in a cell of a notebook."""
    client = ReasoningClient(URL, transport=Transport(stream_of(1, 2, breaks=True), stream_of(3, 4, 5)))
    assert [event.sequence_number for event in client.stream("hi")] == list(ALL)
    with closing(ReasoningClient(URL, transport=Transport(stream_of(*ALL))).stream("hi")) as events:
        assert next(events).type == "reasoning.started"
    listed = httpx.Response(200, json={"data": [{"id": "m"}]})
    assert ReasoningClient(URL, transport=Transport(listed)).models() == ["m"]


def test_a_generation_that_was_begun_elsewhere_is_followed() -> None:
    transport = Transport(stream_of(3, breaks=True), stream_of(4, 5))
    events = ReasoningClient(URL, transport=transport).follow("rsn_1", after=2)
    assert [event.sequence_number for event in events] == [3, 4, 5]
    assert [request.headers["Last-Event-ID"] for request in transport.requests] == ["2", "3"]
    assert {str(request.url) for request in transport.requests} == {f"{URL}/v1/reasoning/rsn_1/events"}


def test_what_was_read_to_its_end_has_nothing_more() -> None:
    transport = Transport(httpx.Response(204))
    assert list(ReasoningClient(URL, transport=transport).follow("rsn_1", after=5)) == []


async def test_what_is_awaited_is_the_same() -> None:
    client = ReasoningClient(URL, transport=Transport(httpx.Response(200, json={"protocol": "steiner"})))
    trace = await client.trace_async("rsn_1")
    assert trace.protocol == "steiner"
    # It shows itself in a notebook.
    assert (trace._repr_svg_() or "").startswith("<svg ")


def test_a_busy_server_is_asked_again_and_one_that_is_not_there_is_not() -> None:
    busy = httpx.ConnectTimeout("timed out")
    transport = Transport(busy, busy, stream_of(1, 2, breaks=True), busy, stream_of(*ALL[2:]))
    assert numbers_from(transport) == list(ALL)
    assert [request.method for request in transport.requests] == ["POST", "POST", "POST", "GET", "GET"]
    assert len({request.content for request in transport.requests[:3]}) == 1
    transport = Transport(*[busy] * 99)
    with pytest.raises(ConnectionLostError, match="No generation was started"):
        numbers_from(transport)
    assert len(transport.requests) == MAX_RECONNECTS + 1
    for error in (httpx.ConnectError("refused"), httpx.ReadTimeout("silent"), httpx.ReadError("reset")):
        transport = Transport(error, stream_of(*ALL))
        with pytest.raises(ConnectionLostError, match="No generation was started"):
            numbers_from(transport)
        assert len(transport.requests) == 1
