"""Text fits its lines whatever it holds, and what a picture cannot show is replaced."""

from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.picture.text_fit import ELLIPSIS, shortened, text_width, visible, wrapped

WIDTH, SIZE = 120.0, 12.0
ROUNDING = 1e-9


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=400), st.integers(1, 4))
def test_lines_fit(text: str, max_lines: int) -> None:
    lines = wrapped(text, SIZE, WIDTH, max_lines)
    assert len(lines) <= max_lines
    assert all(text_width(line, SIZE) <= WIDTH + ROUNDING for line in lines)
    assert text_width(shortened(text, SIZE, WIDTH, bold=True), SIZE, bold=True) <= WIDTH + ROUNDING


@given(st.text(alphabet="ab ", max_size=60))
def test_short_text_is_kept_whole(text: str) -> None:
    lines = wrapped(text, SIZE, WIDTH, 12)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_words_stay_whole_where_they_can() -> None:
    assert wrapped("one two three four", SIZE, 75, 3) == ("one two", "three four")
    assert wrapped("one two three four five", SIZE, 75, 2) == ("one two", f"three four{ELLIPSIS}")
    assert wrapped("", SIZE, WIDTH, 3) == ()


def test_a_wide_script_takes_more_room() -> None:
    assert text_width("試してみる", 10) > text_width("abcde", 10)
    assert text_width("e\N{COMBINING ACUTE ACCENT}", 10) == text_width("e", 10)


def test_what_no_picture_can_show_is_replaced() -> None:
    assert visible("a\x00\x1b[2Jb\u202ec\ud800\ufffe") == "a\ufffd\ufffd[2Jb\ufffdc\ufffd\ufffd"
    assert visible("é 試 \N{GRINNING FACE}\n") == "é 試 \N{GRINNING FACE}\n"


def test_a_long_text_costs_no_more_than_what_is_shown_of_it() -> None:
    lines = wrapped("word " * 200_000, SIZE, WIDTH, 2)
    assert lines[1].endswith(ELLIPSIS)
