"""What a picture of a trace says, where it says it, and that both writers can write it."""

import struct
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from steiner.picture import palette, png
from steiner.picture.badge import badge
from steiner.picture.cards import WIDTH
from steiner.picture.png import NoPngWriterError, save_png
from steiner.picture.shapes import Label, Outline, Picture
from steiner.picture.svg import svg_of
from steiner.picture.trace_picture import picture_of
from steiner.reasoning.events import Intervention
from steiner.reasoning.steps import Backtrack, End, Proceed, Section, Step
from steiner.reasoning.trace import Trace

SVG = "{http://www.w3.org/2000/svg}"


def step(
    step_id: int, parent: int | None, decision: Any, verdict: Any, text: str = "", **fields: Any
) -> Step:
    texts = {"next_step": text or f"try {step_id}", "summary": f"so {step_id}"}
    sections = tuple(Section(role=role, name=role, text=said, num_tokens=2) for role, said in texts.items())
    values = {"depth": None, "sections": sections, "decision": decision, "verdict": verdict, **fields}
    return Step(id=step_id, parent=parent, **values)


SEARCH = Trace(
    id="rsn_1",
    model="steiner-tiny",
    protocol="steiner",
    steps=(
        step(1, 0, Proceed(), "verified"),
        step(2, 1, Backtrack(to_depth=1), "refuted", verdict_forced=True),
        step(3, 1, Backtrack(to_depth=0), "refuted", verdict_forced=True, repeats=2, decision_forced=True),
        step(4, 0, Proceed(), "verified"),
        step(5, 4, None, None, interrupted=True),
    ),
    answer="15 + 7",
    ended_by="max_reasoning_tokens",
    num_reasoning_tokens=1063,
    interventions=(
        Intervention(kind="budget", step=5, num_forced_tokens=3, num_context_tokens=99, detail="closed"),
    ),
)
PREVIEW = Trace(
    protocol="steiner-preview",
    steps=(
        step(1, 0, Backtrack(to_depth=None), None),
        step(2, None, Proceed(), None),
        step(3, 2, End(), None),
    ),
    answer="42",
)


def chain(length: int) -> Trace:
    steps = tuple(step(n, n - 1, Proceed(), "verified") for n in range(1, length + 1))
    return Trace(protocol="steiner", steps=steps)


def star(length: int) -> Trace:
    steps = tuple(step(n, 0, Backtrack(to_depth=0), "refuted") for n in range(1, length + 1))
    return Trace(protocol="steiner", steps=steps)


def labels(picture: Picture) -> list[str]:
    return [shape.text for group in picture.groups for shape in group.shapes if isinstance(shape, Label)]


def outlines(picture: Picture, **wanted: Any) -> list[Outline]:
    shapes = [shape for group in picture.groups for shape in group.shapes if isinstance(shape, Outline)]
    return [shape for shape in shapes if all(getattr(shape, name) == value for name, value in wanted.items())]


def cards(picture: Picture) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of every frame as wide as a card."""
    found = []
    for outline in outlines(picture, closed=True):
        xs = [segment[-2] for segment in outline.segments]
        ys = [segment[-1] for segment in outline.segments]
        if round(max(xs) - min(xs), 3) == WIDTH:
            found.append((min(xs), min(ys), max(xs), max(ys)))
    return found


def test_everything_that_a_trace_says_is_there() -> None:
    said = labels(picture_of(SEARCH, "make 22 from 15 4 11"))
    assert {"problem", "make 22 from 15 4 11", "answer", "15 + 7"} <= set(said)
    assert {f"step {number}" for number in range(1, 6)} <= set(said)
    assert {"try 1", "so 1", "verified", "refuted", "interrupted"} <= set(said)
    assert {"verdict forced by a verifier", "refuted by force: repeats step 2"} <= set(said)
    assert {"back to step 1", "back to the problem by force", "budget: closed"} <= set(said)
    assert "Reasoning tree of steiner-tiny" in said
    assert any("1,063 reasoning tokens" in text and "2 backtracks" in text for text in said)


def test_the_legend_explains_the_signs_that_occur_and_no_others() -> None:
    legend = {label.text for label in picture_of(SEARCH).groups[-1].shapes if isinstance(label, Label)}
    assert legend == {
        "verified", "refuted", "interrupted", "live path", "verdict by force, not the model's own",
        "backtrack, to where the search went on",
    }  # fmt: skip
    legend = {label.text for label in picture_of(PREVIEW).groups[-1].shapes if isinstance(label, Label)}
    assert legend == {"no verdict", "?", "unknown place"}


def test_unknown_places_are_said_and_not_guessed() -> None:
    picture = picture_of(PREVIEW)
    said = labels(picture)
    assert said.count("?") == 3, "where step 1 went, where step 2 came from, and the legend"
    assert {"back to an unknown place", "goes on from an unknown place"} <= set(said)
    first, second = (top for _, top, _, _ in sorted(cards(picture)[:3])[:2])
    assert second - first > 50, "step 2 stands apart from the tree of the problem"


def test_the_live_path_stands_out() -> None:
    edges = outlines(picture_of(SEARCH), stroke=palette.VERIFIED, fill="", width=3.5)
    assert len(edges) == 3 + 1, "to step 4, to step 5, to the answer; and in the legend"


def test_verdicts_differ_in_shape_and_not_only_in_colour() -> None:
    drawn = [badge(standing, 0, 0) for standing in ("verified", "refuted", "interrupted", "no verdict")]
    shapes = [tuple(outline.segments for outline in sign) for sign in drawn]
    assert len(set(shapes)) == 4
    assert len(badge("refuted", 0, 0, forced=True)) == len(badge("refuted", 0, 0)) + 1


@pytest.mark.parametrize("trace", [SEARCH, PREVIEW, chain(3), chain(100), star(60), Trace(protocol="x")])
@pytest.mark.parametrize("direction", [None, "right", "down"])
def test_cards_stand_apart_and_inside(trace: Trace, direction: Any) -> None:
    picture = picture_of(trace, "make 22", direction)
    placed = cards(picture)
    assert len(placed) == len(trace.steps) + 1 + bool(trace.answer)
    for left, top, right, bottom in placed:
        assert left >= 0
        assert top >= 0
        assert right <= picture.width
        assert bottom <= picture.height
    for one, other in pairwise(sorted(placed, key=lambda card: (card[0], card[1]))):
        assert one[2] <= other[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_long_chain_grows_down_and_a_wide_search_to_the_right() -> None:
    down, right = picture_of(chain(40)), picture_of(star(40))
    assert down.height > down.width
    assert len({left for left, _, _, _ in cards(down)}) == 1
    assert len({left for left, _, _, _ in cards(right)}) == 2


def test_text_is_text() -> None:
    nasty = "<script>alert('&\"')</script> \x1b[2J ]]>"
    trace = Trace(
        protocol="steiner", model=nasty, steps=(step(1, 0, End(), "verified", nasty),), answer=nasty
    )
    root = ElementTree.fromstring(svg_of(picture_of(trace, nasty)))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "title", "desc", "rect", "g", "path", "text",
    }  # fmt: skip
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert any(text.startswith("<script>") for text in texts)


def test_an_svg_fetches_nothing_and_is_the_same_every_time() -> None:
    text = svg_of(picture_of(SEARCH))
    assert text == svg_of(picture_of(SEARCH))
    assert text.count("http") == 1, "the namespace alone"
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    hints = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert any(hint.startswith("step 3: refuted, by force") and "so 3" in hint for hint in hints)


def size_of_png(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_png_has_two_pixels_a_unit_and_takes_dollars_as_they_are(tmp_path: Path) -> None:
    trace = SEARCH.model_copy(update={"answer": "$\\frac{1}$ 試"})
    picture = picture_of(trace)
    save_png(picture, tmp_path / "tree.png")
    assert size_of_png(tmp_path / "tree.png") == (int(2 * picture.width), int(2 * picture.height))


def test_a_huge_png_stays_within_what_viewers_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MAX_PIXELS", 700)
    save_png(picture_of(star(20)), tmp_path / "tree.png")
    assert max(size_of_png(tmp_path / "tree.png")) == 700


def test_png_without_matplotlib_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(NoPngWriterError, match=r"extra `train`.*or write .*tree\.svg"):
        save_png(picture_of(SEARCH), tmp_path / "tree.png")
