"""`steiner demo`: the whole system at work, on weights and a problem that come with it."""

import json
import shlex
import sys
from pathlib import Path
from shutil import which

from rich.console import Console

from steiner.cli.asked_server import DEFAULT_URL
from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.cli.shipped import find_model
from steiner.client import ReasoningClient
from steiner.reasoning import events
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.tasks.languages import Language
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.text_tree import draw_tree
from steiner.terminal.guided_text import without_controls
from steiner.terminal.tree_view import TreeView
from steiner.terminal.usage_line import usage_line
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import HeldOutProblem, held_out_problems


class UnknownFamilyError(SteinerError):
    """No problem family has this name; the message lists them."""


def run(family_name: str, seed: int, size: int, model: Path | None, language: Language = "en") -> int:
    """Start a server, ask it a held-out problem, show the tree and the checker's verdict; 0 if all of it ran.

    Raises:
        UnknownFamilyError: no such family.
        MissingModelError: no weights.
        ServerFailedError: the server did not start.
    """
    if family_name not in FAMILIES:
        raise UnknownFamilyError(
            f"No problem family {family_name!r}; there are {', '.join(sorted(FAMILIES))}."
        )
    folder = find_model(model)
    [problem] = held_out_problems(family_name, [size], count=1, seed=seed, language=language)
    console = Console(highlight=False)
    console.print(f"Starting a server on {folder} (half a minute on a slow machine).", style="dim")
    port = free_port()
    with LocalServer(serve_command(folder, port), port) as server:
        with console.status("loading the model"):
            server.wait_until_ready()
        console.print("A problem that the training never saw:\n", style="dim")
        answer = _watch(console, ReasoningClient(server.url), problem.prompt)
    if answer is None:
        return 1
    verdict = "[bold green]accepts[/]" if problem.accepts(answer) else "[bold red]rejects[/]"
    console.print(f"\nThe exact checker of {family_name} {verdict} the answer.")
    _say_what_next(console, model, folder.name, problem, seed)
    return 0


def _watch(console: Console, client: ReasoningClient, prompt: str) -> str | None:
    """Show one generation, and a summary of the search if it turned back. Returns the answer, if there is one."""
    view = TreeView(console, prompt)
    trace: Trace | None = None
    generation_id = ""
    for event in client.stream(prompt):
        view.handle(event)
        match event:
            case events.ReasoningStarted():
                generation_id = event.id
            case events.Usage():
                console.print(f"\n{usage_line(event)}")
            case events.Done():
                trace = client.trace(generation_id)
            case _:
                pass
    if trace is not None and trace.num_backtracks:
        console.print("\nThe search at a glance (+ verified, x refuted):", style="bold")
        console.print(without_controls(draw_tree(trace)), soft_wrap=True, markup=False)
    return None if trace is None else trace.answer


def _say_what_next(
    console: Console, model: Path | None, served: str, problem: HeldOutProblem, seed: int
) -> None:
    command = "steiner" if which("steiner") else str(Path(sys.executable).parent / "steiner")
    named = f" {shlex.quote(str(model))}" if model else ""
    chosen = f" --model{named}" if model else ""
    spoken = "" if problem.language == "en" else f" --language {problem.language}"
    again = (
        f"{command} demo --family {problem.family} --size {problem.size} --seed {seed + 1}{spoken}{chosen}"
    )
    blocks = {
        "Another problem:": again,
        "The server for good:": f"{command} serve{named}",
        "Ask it, and watch the tree:": f"{command} ask {shlex.quote(problem.prompt)}",
        "The same steps as server-sent events:": curl_line(DEFAULT_URL, served, problem.prompt),
        "Or with the openai client:": openai_snippet(sys.executable, DEFAULT_URL, served, problem.prompt),
    }
    for title, block in blocks.items():
        console.print(f"\n{title}", style="bold")
        console.print(block, soft_wrap=True, markup=False)


def curl_line(url: str, model: str, prompt: str) -> str:
    """The typed step stream with curl; -N shows each event as it comes."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}]})
    return f"curl -N {url}/v1/reasoning -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def openai_snippet(python: str, url: str, model: str, prompt: str) -> str:
    """A chat completion with the official client, as a shell command around a Python program."""
    return f"""\
{shlex.quote(python)} - <<'END'
from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="none")
reply = client.chat.completions.create(
    model={model!r},
    messages=[{{"role": "user", "content": {prompt!r}}}],
)
print(reply.choices[0].message.reasoning)
print(reply.choices[0].message.content)
END"""
