"""Tokens per second of our chat stream beside vLLM's own OpenAI server, on the same weights, in one run.

    python benchmarks/serve.py [--model DIR] [--concurrency 1 8 64] [--repeats 3] [--json FILE]

Three lanes, measured in turn within each repeat, so that a busy machine hits all of them alike:

- steiner: `steiner serve`, typed steps in every chunk, the grammar of the protocol on.
- vllm+grammar: `python -m vllm.entrypoints.openai.api_server`, the same grammar in `structured_outputs`.
- vllm: the same server without a grammar, `ignore_eos`.

Every request of every lane generates `--max-tokens` tokens: the policy asks for more steps than they hold (the
JSON has the mean, to see that they did). So the ratio to vllm+grammar is what our front end costs or saves, and
the ratio to vllm also holds the price of the grammar. Front-end CPU is the time of the server's first process
alone; the engine runs in a child. Tokens per second swing with whatever else the machine does; CPU time repeats.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from chat_load import Run, measure
from transformers import AutoTokenizer

from steiner.local_server import LocalServer, free_port, serve_command
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols.steiner import STEINER

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "make 22 from 15 4 11"
#: A grammar that still counts steps, and keeps the reasoning going for longer than the tokens of a request.
POLICY = {"min_steps": 16, "max_steps": 16, "max_depth": 8, "max_backtracks": 8}


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to be served: a server, and the fields that its requests carry."""

    name: str
    server: LocalServer
    fields: dict[str, Any]


def main() -> int:
    """Measure, print a markdown table, write JSON if asked to."""
    arguments = read_arguments()
    # Both engines the same cache, and neither the whole memory of the machine.
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    with tempfile.TemporaryDirectory(prefix="steiner-bench-") as scratch:
        model = arguments.model or model_or_random(Path(scratch))
        ports = free_port(), free_port()
        with (
            LocalServer(serve_command(model, ports[0]), ports[0]) as ours,
            LocalServer(vllm_command(model, ports[1]), ports[1], ready_path="/health") as theirs,
        ):
            ours.wait_until_ready()
            theirs.wait_until_ready()
            results = run_all(lanes_of(model, ours, theirs, arguments.max_tokens), arguments)
    print(table(results))
    if arguments.json:
        report = {
            "arguments": vars(arguments) | {"model": str(model)},
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
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=256, help="tokens of every request")
    parser.add_argument(
        "--rounds", type=int, default=2, help="requests per stream and run (four times as many alone)"
    )
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


def model_or_random(scratch: Path) -> Path:
    """The shipped weights; without them, random ones of a nano model."""
    shipped = ROOT / "models/steiner-tiny"
    if (shipped / "config.json").is_file():
        return shipped
    from steiner.training.random_checkpoint import write_random_checkpoint

    write_random_checkpoint(scratch / "random")
    return scratch / "random"


def vllm_command(model: Path, port: int) -> list[str]:
    """vLLM's own server, with the settings that ours uses."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", model.name, "--port", str(port)]
    command += ["--structured-outputs-config", '{"backend": "xgrammar"}', "--disable-uvicorn-access-log"]
    if is_installed("vllm-cpu"):
        command += ["--dtype", "float32", "--enforce-eager", "--block-size", "32"]
    return command


def lanes_of(model: Path, ours: LocalServer, theirs: LocalServer, max_tokens: int) -> list[Lane]:
    """The three lanes; each adds to the request what makes it generate exactly `max_tokens`."""
    grammar = compile_grammar(STEINER.bind(AutoTokenizer.from_pretrained(model)), Policy(**POLICY))
    request = {"model": model.name, "messages": [{"role": "user", "content": PROMPT}], "temperature": 1.0}
    for_vllm = request | {"max_tokens": max_tokens, "skip_special_tokens": False, "ignore_eos": True}
    return [
        Lane("steiner", ours, request | {"max_completion_tokens": max_tokens, "reasoning": POLICY}),
        Lane("vllm+grammar", theirs, for_vllm | {"structured_outputs": {"grammar": grammar}}),
        Lane("vllm", theirs, for_vllm),
    ]


def run_all(lanes: list[Lane], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Medians of the interleaved repeats, one record per lane and concurrency."""
    results = []
    for concurrency in arguments.concurrency:
        num_requests = concurrency * arguments.rounds * (4 if concurrency == 1 else 1)
        runs: dict[str, list[Run]] = {lane.name: [] for lane in lanes}
        # One unmeasured turn warms caches, compiled grammars and connections.
        for repeat in range(arguments.repeats + 1):
            for lane in lanes:
                url = f"{lane.server.url}/v1/chat/completions"
                run = measure(url, lane.fields, concurrency, num_requests, lane.server.pid)
                if repeat:
                    runs[lane.name].append(run)
                    print(f"{lane.name:13} x{concurrency:<3} {run.tokens_per_s:8.0f} tok/s", file=sys.stderr)
        results += [
            {"lane": name, "concurrency": concurrency, **median(of_lane)} for name, of_lane in runs.items()
        ]
    return results


def median(runs: list[Run]) -> dict[str, float]:
    """Field by field."""
    return {field: statistics.median(asdict(run)[field] for run in runs) for field in asdict(runs[0])}


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: absolute figures, and tok/s as a share of each vLLM lane."""
    by_key = {(record["concurrency"], record["lane"]): record for record in results}
    lines = [
        "| streams | server | tok/s | of vllm+grammar | of vllm | TTFT p50, ms | front-end CPU, us/token |",
        "|---|---|---|---|---|---|---|",
    ]
    for (concurrency, lane), record in by_key.items():
        shares = [
            f"{record['tokens_per_s'] / by_key[concurrency, other]['tokens_per_s']:.2f}"
            for other in ("vllm+grammar", "vllm")
        ]
        cells = [
            str(concurrency), lane, f"{record['tokens_per_s']:,.0f}", *shares,
            f"{record['ttft_p50_s'] * 1e3:.0f}", f"{record['cpu_us_per_token']:.0f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def is_installed(distribution: str) -> bool:
    """Whether a distribution of this name is in the environment."""
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


def versions() -> dict[str, str]:
    """What was measured."""
    names = ("steiner", "vllm", "vllm-cpu", "torch", "xgrammar")
    return {name: version(name) for name in names if is_installed(name)} | {"cores": str(os.cpu_count())}


if __name__ == "__main__":
    sys.exit(main())
