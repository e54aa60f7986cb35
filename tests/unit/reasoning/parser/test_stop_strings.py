"""Stop strings in a text that comes in pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.parser.stop_strings import StopStrings


def expected(text: str, stops: list[str], included: bool) -> tuple[str, str | None]:
    """By looking at every beginning of the whole text."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            stop = max(found, key=len)
            return text[: end if included else end - len(stop)], stop
    return text, None


@given(
    text=st.text("abc", max_size=40),
    stops=st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=4),
    cuts=st.sets(st.integers(0, 40)),
    included=st.booleans(),
)
def test_pieces_say_what_the_whole_says(text: str, stops: list[str], cuts: set[int], included: bool) -> None:
    matcher = StopStrings(stops, included=included)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    said = ""
    for begin, end in itertools.pairwise(bounds):
        said += matcher.feed(text[begin:end])
        if matcher.found is None:
            # What is held back may yet become a stop string; all else has been said.
            held = text[:end].removeprefix(said)
            assert any(stop.startswith(held) and stop != held for stop in stops)
            assert not any(
                text[:end].endswith(stop[:size]) for stop in stops for size in range(len(held) + 1, len(stop))
            )
    said += matcher.flush()
    assert (said, matcher.found) == expected(text, stops, included)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_prefix_that_comes_to_nothing_is_released(size: int) -> None:
    matcher = StopStrings(["\n\nEND"], included=False)
    text = "a\n\nEN\n\nENDER"
    pieces = [matcher.feed(text[begin : begin + size]) for begin in range(0, len(text), size)]
    assert "".join(pieces) == "a\n\nEN"
    assert matcher.found == "\n\nEND"
    assert matcher.flush() == ""


def test_a_long_stop_string_costs_no_more_a_character() -> None:
    """The worst text for a search that starts anew: every character looks as if the string was about to end."""
    matcher = StopStrings(["a" * 1023 + "b"], included=False)
    said = "".join(matcher.feed("a") for _ in range(20_000))
    assert len(said) == 20_000 - 1023
    assert len(said + matcher.flush()) == 20_000
