"""What memory does for long searches: tokens in the context over backtracks, and searches that outlive the context.

    python benchmarks/memory.py [--model DIR] [--max-model-len 512] [--problems 48] [--json FILE] [--figure FILE]

Held-out Countdown problems with four numbers, half of them without a solution, so that everything has to be tried.
Each is asked twice, greedily, of one server: with `reasoning.memory` and without. The context behind a backtrack is
read from the server's own `intervention` events; without memory it is all that was generated so far. A search is
complete if the model ended it and answered. `longest search` is what prompt and completion would have taken up
without memory, in contexts of the model.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.client import ReasoningClient
from steiner.reasoning import events
from steiner.reasoning.steps import Backtrack, Proceed
from steiner.training.evals.intervals import wilson_half_width
from steiner.training.problems.held_out import HeldOutProblem, held_out_problems

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"max_steps": 2000, "max_backtracks": 2000}
COLOURS = {True: "#0b6e99", False: "#c2541b"}


@dataclass(slots=True)
class Search:
    """One problem asked once.

    Attributes:
        contexts: tokens in the model's context behind each backtrack.
        num_tokens: of prompt and completion.
        finished: the model ended the search and the answer.
    """

    prompt: str
    solvable: bool
    memory: bool
    contexts: list[int] = field(default_factory=list)
    num_tokens: int = 0
    num_steps: int = 0
    ended_by: str = ""
    answer: str = ""
    right: bool = False
    finished: bool = False


def main() -> int:
    """Measure, print a markdown table, write the figures asked for."""
    arguments = read_arguments()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    half = arguments.problems // 2
    problems = [
        problem
        for solvable in (True, False)
        for problem in held_out_problems("countdown", (4,), half, arguments.seed, solvable)
    ]
    if arguments.url:
        searches = asyncio.run(ask_all(arguments.url, problems, arguments.streams))
    else:
        port = free_port()
        command = [*serve_command(arguments.model, port), "--max-model-len", str(arguments.max_model_len)]
        with LocalServer([*command, "--generation-timeout-s", "3600"], port) as server:
            server.wait_until_ready()
            searches = asyncio.run(ask_all(server.url, problems, arguments.streams))
    print(table(searches, arguments.max_model_len))
    if arguments.json:
        report = {
            "arguments": {name: str(value) for name, value in vars(arguments).items()},
            "searches": [asdict(search) for search in searches],
        }
        arguments.json.write_text(json.dumps(report) + "\n")
    if arguments.figure:
        draw(searches, arguments.max_model_len, arguments.figure)
    return 0


async def ask_all(url: str, problems: Sequence[HeldOutProblem], streams: int) -> list[Search]:
    """Every problem with and without memory, so many at a time."""
    free = asyncio.Semaphore(streams)
    done = 0

    async def ask(problem: HeldOutProblem, memory: bool) -> Search:
        nonlocal done
        async with free:
            search = await ask_one(ReasoningClient(url), problem, memory)
        done += 1
        print(f"{done:4} of {2 * len(problems)}: {search.num_tokens} tokens", file=sys.stderr)
        return search

    return list(await asyncio.gather(*(ask(p, memory) for memory in (True, False) for p in problems)))


async def ask_one(client: ReasoningClient, problem: HeldOutProblem, memory: bool) -> Search:
    """One search, read from its events."""
    search = Search(problem.prompt, problem.solvable, memory)
    # The start of reasoning; a decision adds itself and, going back, a depth of one digit.
    num_generated = 1
    options = {"temperature": 0, "reasoning": LIMITS | {"memory": memory}}
    async for event in client.stream_async(problem.prompt, **options):
        match event:
            case events.StepDone(decision=decision):
                search.num_steps += 1
                num_generated += event.num_tokens
                if isinstance(decision, Proceed | Backtrack):
                    num_generated += 1 + isinstance(decision, Backtrack)
                if isinstance(decision, Backtrack) and not memory:
                    search.contexts.append(num_generated)
            case events.Intervention(kind="memory"):
                search.contexts.append(event.num_context_tokens)
            case events.ReasoningDone():
                search.ended_by = event.ended_by
            case events.AnswerDone():
                search.answer = event.text
                search.right = problem.accepts(event.text)
            case events.Usage():
                search.num_tokens = event.prompt_tokens + event.completion_tokens
                if not memory:
                    search.contexts = [event.prompt_tokens + context for context in search.contexts]
            case events.Done():
                search.finished = event.finish_reason == "stop" and search.ended_by == "model"
            case _:
                pass
    return search


def table(searches: Sequence[Search], max_model_len: int) -> str:
    """Markdown: with memory and without."""
    lines = [
        "| memory | problems | complete | right | 95 % | median tokens | longest search | largest context |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for memory in (True, False):
        those = [search for search in searches if search.memory is memory]
        complete = [search for search in those if search.finished]
        share = sum(search.right for search in those) / len(those)
        cells = [
            "on" if memory else "off",
            str(len(those)),
            f"{len(complete) / len(those):.1%}",
            f"{share:.1%}",
            f"± {wilson_half_width(share, len(those)):.1%}",
            f"{statistics.median(search.num_tokens for search in those):,.0f}",
            f"{max((search.num_tokens for search in complete), default=0) / max_model_len:.1f} contexts",
            f"{max((context for search in those for context in search.contexts), default=0):,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(searches: Sequence[Search], max_model_len: int, path: Path) -> None:
    """Tokens in the context over backtracks, a line a search; SVG."""
    from matplotlib import pyplot as plt
    from matplotlib import rcParams

    rcParams["svg.hashsalt"] = "steiner"
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for memory, colour in COLOURS.items():
        label: str | None = f"memory {'on' if memory else 'off'}"
        for search in searches:
            if search.memory is memory and search.contexts:
                axes.plot(
                    range(1, len(search.contexts) + 1),
                    search.contexts,
                    color=colour,
                    alpha=0.5,
                    lw=0.9,
                    label=label,
                )
                label = None
    axes.axhline(max_model_len, color="#444444", linestyle=":", label=f"the model's context, {max_model_len}")
    axes.set(xlabel="backtracks", ylabel="tokens in the context", xscale="log", ylim=(0, max_model_len * 1.1))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/steiner-tiny", help="checkpoint folder")
    parser.add_argument("--url", help="a running server with this context, instead of one on the model")
    parser.add_argument("--max-model-len", type=int, default=512, help="context of the server, in tokens")
    parser.add_argument("--problems", type=int, default=48, help="half of them without a solution")
    parser.add_argument("--streams", type=int, default=16, help="generations at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the problems")
    parser.add_argument("--json", type=Path, help="write every search here")
    parser.add_argument("--figure", type=Path, help="draw the contexts here; SVG")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
