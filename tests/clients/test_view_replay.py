"""Replay, links, what is saved and opened again, and two runs side by side."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from steiner.saved_trace import parse_saved_trace
from steiner.view.page import page_of

from .golden_trees import FOLDER, tree_of_svg, tree_of_trace
from .view_page import PROBLEM, View

FORCED = FOLDER / "forced.jsonl"
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
DROP = """([name, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


@pytest.fixture
def opened(view: Any, stage: Any, serve: Any) -> Any:
    """The page of a server that has nothing to say."""
    view.open(f"{serve(stage.engine(stage.one_step)).url}/view")
    return view


def slide(view: Any, moment: int) -> None:
    view.page.locator(".replay input").evaluate(
        "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", moment
    )
    view.settle()


def test_the_slider_goes_back_and_forth_in_time(opened: Any) -> None:
    opened.open_files(FORCED)
    whole = opened.nodes()
    last = int(opened.page.locator(".replay input").get_attribute("max"))
    sizes = []
    for moment in range(0, last + 1, 4):
        slide(opened, moment)
        sizes.append(len(opened.nodes()))
        if moment < last:
            assert opened.page.locator(".state").inner_text() == "Replay"
    assert sizes[0] == 1
    assert sizes == sorted(sizes)
    slide(opened, 1)
    assert len(opened.nodes()) == 1
    opened.page.get_by_role("button", name="To the end").click()
    opened.settle()
    assert opened.nodes() == whole
    assert opened.page.locator(".state").inner_text() == "Done"


def test_playing_comes_to_the_end_by_itself(opened: Any) -> None:
    opened.page.clock.install()
    opened.open_files(FORCED)
    whole = len(opened.nodes())
    opened.page.get_by_role("button", name="Play").click()
    opened.page.clock.run_for(2000)
    assert 1 <= len(opened.nodes()) < whole
    opened.page.clock.run_for(60_000)
    assert len(opened.nodes()) == whole
    opened.page.get_by_role("button", name="Play").wait_for()


def test_a_link_shows_the_same_generation(shown: Any, stage: Any) -> None:
    view = shown(stage.with_backtrack)
    tree, address = view.nodes(), view.page.url
    view.page.goto("about:blank")
    view.open(address)
    view.wait_for("done")
    assert view.nodes() == tree
    assert PROBLEM in view.page.locator(".run-problem").inner_text()


def test_a_link_follows_what_still_runs_and_stops_it_for_both(
    view: Any, stage: Any, serve: Any, eventually: Any
) -> None:
    held = stage.engine(f"<start>{stage.step()}<proceed><step_start>", holds=True)
    view.open(f"{serve(held).url}/view")
    view.ask()
    view.page.wait_for_selector('[data-node="2"]')
    other = View(view.page.context.new_page())
    other.open(view.page.url)
    other.page.wait_for_selector('[data-node="2"]')
    assert PROBLEM in other.page.locator(".run-problem").inner_text()
    other.page.get_by_role("button", name="Stop").click()
    other.wait_for("cancelled")
    view.wait_for("cancelled")
    eventually(lambda: held.aborted)
    assert other.nodes() == view.nodes()


def test_a_link_to_what_is_not_there_says_so(view: Any, stage: Any, serve: Any) -> None:
    view.open(f"{serve(stage.engine(stage.one_step)).url}/view/rsn_none")
    view.wait_for("error")
    assert "no generation 'rsn_none'" in view.page.locator(".state").inner_text()
    view.errors.clear()


def test_a_trace_of_an_earlier_version_is_opened(opened: Any) -> None:
    saved = PICTURES / "tree.json"
    opened.open_files(saved)
    assert tree_of_svg(opened.save("SVG")) == tree_of_trace(parse_saved_trace(saved.read_bytes()))


def test_a_file_is_opened_by_dropping_it(opened: Any) -> None:
    opened.page.evaluate(DROP, ["forced.jsonl", FORCED.read_text()])
    opened.page.wait_for_selector('[data-node="6"]')
    opened.page.evaluate(DROP, ["notes.txt", "nothing of the kind"])
    opened.page.wait_for_selector("#notice >> text=notes.txt is no saved trace")
    assert opened.page.locator('[data-node="6"]').count() == 1


def test_each_picture_and_text_is_saved(shown: Any, stage: Any) -> None:
    view = shown(stage.with_backtrack)
    trace = parse_saved_trace(view.save("JSON"))
    assert trace.problem == PROBLEM
    assert trace.steps[0].finished_s is not None
    assert tree_of_svg(view.save("SVG")) == tree_of_trace(trace)
    png = view.save("PNG")
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width > 800
    assert height > 200
    mermaid = view.save("Mermaid").decode()
    assert mermaid.startswith("flowchart LR\n")
    assert "s2 -. back .-> s1" in mermaid


@pytest.mark.parametrize("maker", ["browser", "Python"])
def test_a_saved_page_needs_no_server_and_can_be_saved_again(opened: Any, maker: str, tmp_path: Path) -> None:
    trace = parse_saved_trace(FORCED.read_bytes())
    page = tmp_path / "page.html"
    if maker == "browser":
        opened.open_files(FORCED)
        page.write_bytes(opened.save("HTML"))
    else:
        page.write_text(page_of(trace, PROBLEM), encoding="utf-8")
    asked: list[str] = []
    for _ in range(2):
        opened.page.goto("about:blank")
        opened.page.on("request", lambda request: asked.append(request.url))
        opened.open(page.as_uri())
        opened.settle()
        assert tree_of_svg(opened.save("SVG")) == tree_of_trace(trace)
        assert opened.page.locator("form").count() == 0
        page.write_bytes(opened.save("HTML"))
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


def test_a_saved_page_is_opened_like_a_trace(opened: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        page_of(parse_saved_trace(FORCED.read_bytes()), "a < b </script> \u2028"), encoding="utf-8"
    )
    opened.open_files(page)
    assert "a < b </script>" in opened.page.locator(".run-problem").inner_text()
    assert len(opened.nodes()) == 8


def test_two_runs_are_compared_where_they_part(view: Any, stage: Any, serve: Any) -> None:
    other = f"<start>{stage.step()}<proceed>{stage.step('verified', 2)}<end>22<eot>"
    view.open(f"{serve(stage.engine(stage.with_backtrack, other)).url}/view")
    view.page.get_by_label("Compare with a second run").check()
    second = view.page.locator('[data-settings="B"]')
    second.get_by_label("Constrained decoding").uncheck()
    with view.page.expect_request(
        lambda request: request.method == "POST" and '"constrained":false' in (request.post_data or "")
    ):
        view.ask()
    view.wait_for("done", "A")
    view.wait_for("done", "B")
    told = view.page.locator(".comparison span").inner_text()
    assert told.startswith("The runs part at step 2: ")
    assert {"refuted", "verified"} <= set(told.replace(",", "").split())
    view.page.get_by_role("button", name="Show it").click()
    for run in "AB":
        assert view.page.locator(f'[data-run="{run}"] .parting').get_attribute("data-node") == "2"
        assert "Step 2" in view.detail(run)
    # The link has both.
    trees = view.nodes("A"), view.nodes("B")
    view.open(view.page.url)
    view.wait_for("done", "A")
    view.wait_for("done", "B")
    assert (view.nodes("A"), view.nodes("B")) == trees


def test_two_files_are_compared(opened: Any, tmp_path: Path) -> None:
    lines = FORCED.read_text().splitlines()
    shorter = tmp_path / "shorter.jsonl"
    last = next(i for i, line in enumerate(lines) if json.loads(line).get("step") == 6)
    shorter.write_text(
        "\n".join([*lines[:last], '{"type":"done","sequence_number":999,"finish_reason":"stop"}'])
    )
    opened.open_files(FORCED, shorter)
    assert (
        opened.page.locator(".comparison span").inner_text()
        == "The same up to step 5; then only run A goes on."
    )
    opened.open_files(FORCED, FORCED)
    assert (
        opened.page.locator(".comparison span").inner_text() == "The same steps and the same answer so far."
    )
