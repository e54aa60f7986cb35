"""`steiner demo`: the whole system in front of one's eyes, on weights and a problem that come with it."""

import random
import sys
from pathlib import Path
from shutil import which
from typing import Any

from rich.console import Console

from steiner.client import ReasoningClient
from steiner.local_server import LocalServer, free_port, serve_command
from steiner.reasoning import events
from steiner.reasoning.errors import SteinerError
from steiner.snippets import curl_line, openai_snippet
from steiner.terminal.tree_view import TreeView
from steiner.terminal.usage_line import usage_line
from steiner.training.problems import FAMILIES, Family
from steiner.training.problems.split import is_held_out

MODEL = Path("models/steiner-tiny")
#: The address of `steiner serve` as it stands.
SERVE_URL = "http://127.0.0.1:8000"


class DemoError(SteinerError):
    """The demo cannot run; the message says what is missing."""


def run(family_name: str, seed: int, size: int, model: Path | None) -> int:
    """Start a server, ask it a held-out problem, show the tree and the checker's word; 0 if all of it ran.

    Raises:
        DemoError: no such family, or no weights.
        ServerFailedError: the server did not start.
    """
    if family_name not in FAMILIES:
        raise DemoError(f"No problem family {family_name!r}; there are {', '.join(sorted(FAMILIES))}.")
    folder = find_model(model)
    family = FAMILIES[family_name]
    problem = held_out_problem(family, size, seed)
    prompt = family.prompt(problem)
    console = Console(highlight=False)
    console.print(f"Starting a server on {folder} (some seconds of loading).", style="dim")
    port = free_port()
    with LocalServer(serve_command(folder, port), port) as server:
        with console.status("loading the model"):
            server.wait_until_ready()
        console.print("A problem that the training never saw:\n", style="dim")
        answer = _watch(console, server.url, prompt)
    if answer is None:
        return 1
    accepted = family.check(problem, answer)
    verdict = "[bold green]accepts[/]" if accepted else "[bold red]rejects[/]"
    console.print(f"The exact checker of {family_name} {verdict} the answer.")
    _say_what_next(console, folder, prompt)
    return 0


def find_model(model: Path | None) -> Path:
    """The checkpoint folder: the one named, else the shipped one in the working directory or the checkout."""
    checkout = Path(__file__).resolve().parents[2]
    candidates = [model] if model else [MODEL, checkout / MODEL]
    for candidate in candidates:
        if (candidate / "config.json").is_file():
            return candidate
    raise DemoError(
        f"No model in {' or '.join(map(str, candidates))} (a folder with config.json). "
        "Run this in a checkout of Steiner, or name one with --model."
    )


def held_out_problem(family: Family[Any, Any, Any], size: int, seed: int) -> Any:
    """A solvable problem kept from training by its identity; the same for the same seed."""
    rng = random.Random(seed)
    while True:
        problem = family.generate(rng, size)
        if is_held_out(family.canonical(problem)):
            return problem


def _watch(console: Console, url: str, prompt: str) -> str | None:
    """Show one generation; its answer, or None if it ended without one."""
    view = TreeView(console, prompt)
    answer: str | None = None
    for event in ReasoningClient(url).stream(prompt):
        view.handle(event)
        match event:
            case events.AnswerDone():
                answer = event.text
                console.print()
            case events.Usage():
                console.print(usage_line(event))
            case _:
                pass
    return answer


def _say_what_next(console: Console, folder: Path, prompt: str) -> None:
    command = "steiner" if which("steiner") else str(Path(sys.executable).parent / "steiner")
    blocks: dict[str, Any] = {
        "Another problem:": f"{command} demo --seed 2",
        "The server for good:": f"{command} serve",
        "Ask it, and watch the tree:": f'{command} ask "{prompt}"',
        "The same steps as server-sent events:": curl_line(SERVE_URL, folder.name, prompt),
        "Or with the openai client:": openai_snippet(sys.executable, SERVE_URL, folder.name, prompt),
    }
    for title, block in blocks.items():
        console.print(f"\n{title}", style="bold")
        console.print(block, soft_wrap=True, markup=False)
