"""Makes the pictures of README and docs from the running system: `make pictures`.

    python scripts/make_pictures.py [--url URL] [--folder docs/pictures]
    python scripts/make_pictures.py --trace docs/pictures/tree.json    # those of a recorded search, without a server

A server on the shipped weights is asked held-out problems until one has the search that a picture is to show; what it
then shows, in the terminal, as a drawing and in the browser, is what is saved. The same weights and problems give the
same searches. Look at each picture before it is committed.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.cli.shipped import find_model
from steiner.cli.show_trace import Drawings
from steiner.client import ReasoningClient
from steiner.reasoning.events import Event, ReasoningStarted
from steiner.reasoning.trace import Trace
from steiner.saved_trace import read_saved_trace
from steiner.terminal.tree_view import save_svg
from steiner.training.problems.held_out import held_out_problems
from steiner.view.page import page_of

ROOT = Path(__file__).resolve().parents[1]
SEED = 8
MOST_TRIED = 40
WIDTH, HEIGHT = 1400, 840
NARROW_BUDGET = 4


@dataclass(frozen=True, slots=True)
class Told:
    """A problem, and all that came of it."""

    prompt: str
    events: list[Event]
    trace: Trace


def main() -> int:
    """Ask, draw, and name each file."""
    arguments = read_arguments()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.trace is not None:
        draw_recorded(arguments.trace, folder)
        return 0
    with serving(arguments.url) as url:
        client = ReasoningClient(url)
        short = first(
            client, "countdown", 3, lambda trace: 1 <= trace.num_backtracks <= 2 and len(trace.steps) <= 4
        )
        save_svg(short.events, short.prompt, folder / "demo.svg")
        search = first(
            client, "routes", 4, lambda trace: 2 <= trace.num_backtracks <= 3 and len(trace.steps) <= 9
        )
        save_tree(search, folder)
        photograph(url, search.prompt, folder)
    print(*sorted(folder.glob("*")), sep="\n")
    return 0


@contextlib.contextmanager
def serving(url: str | None) -> Iterator[str]:
    """The server that is named, or one on the shipped weights."""
    if url is not None:
        yield url
        return
    port = free_port()
    with LocalServer(serve_command(find_model(None), port), port) as server:
        server.wait_until_ready()
        yield server.url


def first(client: ReasoningClient, family: str, size: int, shows: Callable[[Trace], bool]) -> Told:
    """The first held-out problem whose search was right and shows what it is to show."""
    for problem in held_out_problems(family, [size], MOST_TRIED, SEED):
        events = list(client.stream(problem.prompt, temperature=0.0))
        [started] = [event for event in events if isinstance(event, ReasoningStarted)]
        trace = client.trace(started.id)
        if shows(trace) and problem.accepts(trace.answer):
            return Told(problem.prompt, events, trace)
    raise SystemExit(
        f"none of {MOST_TRIED} held-out problems of {family} has the search that the picture is to show"
    )


def save_tree(told: Told, folder: Path) -> None:
    """The drawing, with the trace and the problem that it was made of."""
    (folder / "tree.json").write_text(told.trace.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / "tree.txt").write_text(told.prompt + "\n", encoding="utf-8")
    Drawings(svg=folder / "tree.svg").draw(told.trace, told.prompt)


def draw_recorded(recorded: Path, folder: Path) -> None:
    """The drawing and the page of a search that was kept with its problem beside it."""
    trace = read_saved_trace(str(recorded))
    problem = trace.problem or recorded.with_suffix(".txt").read_text(encoding="utf-8").strip()
    Drawings(svg=folder / "tree.svg").draw(trace, problem)
    with tempfile.TemporaryDirectory() as temporary, opened_browser() as page:
        saved = Path(temporary) / "page.html"
        saved.write_text(page_of(trace, problem), encoding="utf-8")
        page.goto(saved.as_uri())
        settle(page)
        page.screenshot(path=folder / "view.png")


@contextlib.contextmanager
def opened_browser() -> Iterator[Any]:
    """A page of Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("chromium is not installed: apt-get install chromium (CONTRIBUTING.md)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
        )
        browser.close()


def photograph(url: str, prompt: str, folder: Path) -> None:
    """The live view as it ends, and two runs of which one has a narrow budget."""
    with opened_browser() as page:
        page.goto(f"{url}/view")
        page.get_by_label("Problem").first.fill(prompt)
        fill(page, "temperature-A", 0)
        ask(page, "A")
        page.screenshot(path=folder / "view.png")
        page.get_by_label("Compare with a second run").check()
        fill(page, "temperature-B", 0)
        fill(page, "max_steps-B", NARROW_BUDGET)
        ask(page, "B")
        page.screenshot(path=folder / "view-compare.png")


def fill(page: Any, name: str, value: int) -> None:
    """Set a field of the form, also one that is folded away."""
    page.locator(f'[name="{name}"]').evaluate("(field, value) => { field.value = value; }", value)


def ask(page: Any, last: str) -> None:
    """Ask, and wait until all is drawn."""
    page.get_by_role("button", name="Ask", exact=True).click()
    for run in "AB"[: "AB".index(last) + 1]:
        page.wait_for_selector(f'[data-run="{run}"][data-state="done"]')
    settle(page)


def settle(page: Any) -> None:
    """Until all is drawn, and nothing has the focus."""
    page.evaluate("() => new Promise((drawn) => setTimeout(drawn, 500))")
    page.evaluate("() => document.activeElement.blur()")


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", help="of a running server; default: one is started on the shipped weights")
    parser.add_argument(
        "--trace", type=Path, help="a recorded search, its problem in the file beside it (.txt)"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "pictures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
