"""The buffer: whatever is encoded, released or lost in between, readers get the right events or are told."""

from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.events import AnswerDelta, Event
from steiner.server.generations.event_buffer import EVENT_BYTES, EventBuffer

LARGE = 1 << 20


def deltas(first: int, last: int) -> list[Event]:
    return [AnswerDelta(sequence_number=n, text=f"t{n}\n") for n in range(first, last + 1)]


def read_all(buffer: EventBuffer, after: int) -> list[Event] | None:
    events: list[Event] = []
    while True:
        batch = buffer.read(after)
        if batch is None:
            return None
        if not batch:
            return events
        events += batch
        after = batch[-1].sequence_number


@given(
    st.lists(st.one_of(st.integers(1, 5), st.just("encode"), st.floats(0, 1)), min_size=1, max_size=30),
    st.floats(0, 1),
)
def test_what_is_there_is_read_and_what_is_not_is_told(actions: list[object], place: float) -> None:
    buffer = EventBuffer(LARGE)
    released = 0
    for action in actions:
        if isinstance(action, int):
            buffer.add(deltas(buffer.last + 1, buffer.last + action))
        elif action == "encode":
            buffer.encode()
        elif isinstance(action, float):
            up_to = round(action * buffer.last)
            buffer.release(up_to)
            released = max(released, up_to)
        assert buffer.first <= released + 1
        after = round(place * buffer.last)
        expected = None if after + 1 < buffer.first else deltas(after + 1, buffer.last)
        assert read_all(buffer, after) == expected
    buffer.encode()
    buffer.release(buffer.last)
    assert (buffer.num_bytes, buffer.chunks, buffer.num_lost) == (0, (), 0)


def test_loose_events_are_released_one_by_one() -> None:
    buffer = EventBuffer(LARGE)
    buffer.add(deltas(1, 10))
    buffer.release(4)
    assert buffer.first == 5
    assert buffer.num_bytes == sum(EVENT_BYTES + len(f"t{n}\n") for n in range(5, 11))


def test_beyond_the_limit_events_are_encoded_before_any_is_lost() -> None:
    limit = 65536
    buffer = EventBuffer(limit)
    for first in range(1, 65537, 16):
        buffer.add(deltas(first, first + 15))
        assert buffer.num_bytes <= limit
    assert buffer.num_lost
    assert buffer.first == buffer.num_lost + 1
    assert read_all(buffer, buffer.num_lost) == deltas(buffer.first, 65536)
    assert read_all(buffer, buffer.num_lost - 1) is None
    # As objects the same events would have taken ten times as much.
    assert (65536 - buffer.num_lost) * EVENT_BYTES > 10 * limit


def test_the_default_holds_the_longest_chain_without_a_store() -> None:
    from steiner.server.settings import Settings

    buffer = EventBuffer(Settings().max_stream_bytes)
    for first in range(1, 65537, 64):
        buffer.add(deltas(first, first + 63))
    assert buffer.num_lost == 0
