"""What a store gives back encodes to the same bytes, whatever the events say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.policy import Policy
from steiner.reasoning.steps import Backtrack, End, Proceed
from steiner.server.api.reasoning.route import encode_events
from steiner.server.generations.store.base import decode_chunk, encode_chunk

# Whatever a tokenizer can decode to: everything but halves of characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
COUNTS = st.integers(0, 2**53)
ROLES = st.sampled_from(["understanding", "next_step", "verification", "summary"])
VERDICTS = st.sampled_from(["verified", "refuted"])
MAYBE = st.none() | COUNTS

KINDS: list[st.SearchStrategy[Any]] = [
    st.builds(events.ReasoningStarted, id=TEXTS, model=TEXTS, protocol=TEXTS, policy=st.just(Policy())),
    st.builds(events.StepStarted, step=COUNTS, depth=MAYBE, parent=MAYBE),
    st.builds(events.SectionStarted, step=COUNTS, role=ROLES, name=TEXTS),
    st.builds(events.SectionDelta, step=COUNTS, role=ROLES, text=TEXTS),
    st.builds(events.SectionDone, step=COUNTS, role=ROLES, text=TEXTS, num_tokens=COUNTS),
    st.builds(events.StepVerified, step=COUNTS, verdict=VERDICTS, forced=st.booleans()),
    st.builds(
        events.StepDone,
        step=COUNTS,
        verdict=st.none() | VERDICTS,
        repeats=MAYBE,
        decision=st.one_of(
            st.none(), st.just(Proceed()), st.just(End()), st.builds(Backtrack, to_depth=MAYBE)
        ),
        interrupted=st.booleans(),
        num_tokens=COUNTS,
    ),
    st.builds(events.Violation, detail=TEXTS, token_id=MAYBE, text=TEXTS),
    st.builds(events.AnswerDelta, text=TEXTS),
    st.builds(events.Failed, message=TEXTS, code=TEXTS),
]


@given(st.lists(st.one_of(KINDS), min_size=1, max_size=30), st.integers(1, 10**6), st.data())
def test_a_chunk_is_the_bytes_that_were_sent(said: list[Event], first: int, data: st.DataObject) -> None:
    numbered = [
        event.model_copy(update={"sequence_number": first + place}) for place, event in enumerate(said)
    ]
    chunk = encode_chunk(numbered)
    assert (chunk.first, chunk.last) == (first, first + len(said) - 1)
    skipped = data.draw(st.integers(0, len(said)))
    assert encode_events(decode_chunk(chunk, first - 1 + skipped)) == encode_events(numbered[skipped:])
