"""Any chunking of an answer's tokens: the same text, the same stop, the same tokens told, each of them once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.answer import AnswerToken
from steiner.reasoning.parser.answer_reader import AnswerReader
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.parser.event_log import EventLog
from steiner.reasoning.parser.stop_strings import StopRule
from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.token_spelling import TokenSpelling

from .conftest import Spoken

texts = st.text(st.sampled_from("aab \né東🏔"), max_size=24)
stop_strings = st.lists(st.text(st.sampled_from("aab \né東"), min_size=1, max_size=5), max_size=4)


def read(
    spoken: Spoken, ids: list[int], tokens: list[AnswerToken], cuts: list[int], stop: StopRule
) -> tuple[AnswerReader, list[Any]]:
    log = EventLog()
    reader = AnswerReader(section_texts(spoken.tokenizer.backend_tokenizer)(), log, stop)
    for start, end in itertools.pairwise([0, *cuts, len(ids)]):
        reader.take_text(ids[start:end], tokens[start:end])
    reader.end("stop")
    return reader, log.take()


@pytest.mark.parametrize("language", ["digits", "words"])
@given(data=st.data(), text=texts, stops=stop_strings, included=st.booleans(), broken=st.booleans())
def test_chunks_do_not_matter(
    request: pytest.FixtureRequest,
    language: str,
    data: st.DataObject,
    text: str,
    stops: list[str],
    included: bool,
    broken: bool,
) -> None:
    spoken: Spoken = request.getfixturevalue(language)
    ids = spoken.tokenizer.encode(text, add_special_tokens=False)
    if broken and len(ids) > 1:
        # A model that samples may begin or end inside of a character.
        ids = ids[1:-1]
    stop_ids = frozenset(data.draw(st.sets(st.sampled_from(ids), max_size=1)) if ids else ())
    stop = StopRule(tuple(stops), stop_ids, included=included)
    spelling = TokenSpelling(spoken.tokenizer, spoken.bound.special_ids)
    # Numbered by their probability, so that each can be told from the others.
    told_ids = zip(ids, map(TokenLogprobs, itertools.count(0.0, -1.0)), [None, *ids], strict=False)
    tokens = list(itertools.starmap(spelling.answer_token, told_ids))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(ids)))))
    one_by_one, expected = read(spoken, ids, tokens, list(range(1, len(ids))), stop)
    reader, events = read(spoken, ids, tokens, cuts, stop)

    *deltas, done = events
    told = [token for delta in deltas for token in delta.logprobs or ()]
    assert done == expected[-1].model_copy(update={"sequence_number": done.sequence_number})
    assert (reader.text, reader.num_tokens) == (one_by_one.text, one_by_one.num_tokens)
    assert reader.text == done.text == "".join(delta.text for delta in deltas)
    assert told == [token for delta in expected[:-1] for token in delta.logprobs or ()]
    # None twice, none left out in between.
    assert told == tokens[: len(told)]
    spelled = b"".join(bytes(token.bytes) for token in told)
    if reader.stopped_by is None:
        assert told == tokens
        assert done.num_tokens == len(ids)
        assert spelled.decode(errors="replace").replace("\ufffd", "") == reader.text.replace("\ufffd", "")
    elif "\ufffd" not in reader.text:
        assert spelled.startswith(reader.text.encode())
    if isinstance(done.stop_reason, str):
        assert reader.text.endswith(done.stop_reason) == included or done.stop_reason in stops
        without = reader.text.removesuffix(done.stop_reason) if included else reader.text
        assert not any(one in without for one in stops)
        if "\ufffd" not in reader.text:
            # The last token told begins in the text; it may end inside of the stop string.
            assert not told or len(spelled) - len(told[-1].bytes) < len(reader.text.encode())
