"""The decoder against the examples and rules of the WHATWG standard, and against itself at every chunking."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.client.event_stream import EventStreamDecoder, Message


def decode(*chunks: bytes) -> list[Message]:
    decoder = EventStreamDecoder()
    return [message for chunk in chunks for message in decoder.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Message("message", "YHOO\n+2\n10", "")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [
                Message("message", "first event", "1"),
                Message("message", "second event", ""),
                Message("message", " third event", ""),
            ],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Message("message", "", ""), Message("message", "\n", "")]),
        (b"data:test\n\ndata: test\n\n", [Message("message", "test", ""), Message("message", "test", "")]),
        (b"event: add\ndata: 1\n\ndata: 2\n\n", [Message("add", "1", ""), Message("message", "2", "")]),
        (b"id: 7\n\ndata: x\n\n", [Message("message", "x", "7")]),
        (b"id: 7\nid: a\0b\ndata: x\n\n", [Message("message", "x", "7")]),
        (b"event: lost\n\ndata: x\n\n", [Message("message", "x", "")]),
        (b"\xef\xbb\xbfdata: x\n\n", [Message("message", "x", "")]),
        (b"data: a\r\rdata: b\r\n\r\n", [Message("message", "a", ""), Message("message", "b", "")]),
        (b"retry: 10\nunknown: y\n:comment\ndata: x\n\n", [Message("message", "x", "")]),
        (b"data: never ended\n", []),
    ],
)
def test_reads_a_stream_as_the_standard_does(stream: bytes, messages: list[Message]) -> None:
    assert decode(stream) == messages


LINES = st.sampled_from(
    ["data: x", "data:é🌳", "data", "id: 3", "id", "event: a", ":c", "", "", "\ufeffdata: y", "data: a:b"]
)


@given(
    lines=st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r", "\r\n"])), max_size=30),
    cuts=st.lists(st.integers(0, 400)),
)
def test_gives_the_same_messages_at_any_chunking(lines: list[tuple[str, str]], cuts: list[int]) -> None:
    stream = "".join(line + end for line, end in lines).encode()
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(edges)]
    assert decode(*chunks) == decode(stream)


def test_gives_the_same_messages_byte_by_byte() -> None:
    stream = "id: 1\r\ndata: é\r\rdata: 🌳\n\n".encode()
    assert decode(*(bytes([byte]) for byte in stream)) == decode(stream) != []
