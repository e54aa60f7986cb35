"""Is greedy output the same with the drafter and without, what does it draft, and what does it cost?

    python benchmarks/speculation.py [--model DIR] [--problems 2000] [--seed 41] [--streams 1] [--json FILE]

Held-out problems of every family and language, as many of each, go to a server with `--speculation protocol` and to
one with `off`, greedily. Answers, steps and usage are compared, all but the times. With one stream they should be
equal; more streams share batches, whose sums come out otherwise, so a near tie can fall the other way. Tokens a decode
step and the accepted share come from the server's own counters. The drafter's time is that of `propose` alone in this
process, over legal walks that come one to three tokens a step.
"""

import argparse
import json
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
from legal_walks import legal_walk
from rich.console import Console
from rich.progress import track

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.reasoning.automaton import Automaton
from steiner.reasoning.grammar.certain_tokens import marks_of
from steiner.reasoning.policy import Policy
from steiner.reasoning.tasks.languages import LANGUAGES
from steiner.server.engine.speculation.draft_counts import SharedCounts
from steiner.server.engine.speculation.drafter import ProtocolDrafter
from steiner.server.engine.speculation.marks import CONFIG_KEY, plain_marks
from steiner.server.model.loading import load_protocol
from steiner.server.settings import Settings
from steiner.training.problems.held_out import HeldOutProblem, held_out_problems

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"countdown": (3, 4), "routes": (3, 4, 5), "knights": (3, 4, 5)}
MODEL_LENGTH = 2048
Counters = dict[str, float]


@dataclass(frozen=True, slots=True)
class Compared:
    """Problems of one family in one language.

    Attributes:
        num_equal: answered alike with the drafter and without.
        accepted: share of the drafted tokens.
    """

    family: str
    language: str
    num_problems: int
    num_equal: int
    tokens_per_step: float
    drafted_per_step: float
    accepted: float


def main() -> int:
    """Compare, time, print."""
    arguments = read_arguments()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    each = -(-arguments.problems // (len(SIZES) * len(LANGUAGES)))
    ports = [free_port(), free_port()]
    commands = [
        [*serve_command(arguments.model, port), "--store", "memory", "--speculation", mode]
        for port, mode in zip(ports, ("protocol", "off"), strict=True)
    ]
    rows = []
    with LocalServer(commands[0], ports[0]) as ours, LocalServer(commands[1], ports[1]) as without:
        for server in (ours, without):
            server.wait_until_ready()
        for family, language in track(list(product(SIZES, LANGUAGES)), console=Console(stderr=True)):
            problems = held_out_problems(family, SIZES[family], each, seed=arguments.seed, language=language)
            rows.append(compared(ours.url, without.url, problems, arguments.streams))
    times = {num_rows: microseconds_per_token(arguments.model, num_rows) for num_rows in (1, 8, 64)}
    print(table(rows))
    print("drafter, us a sampled token: " + ", ".join(f"{us:.1f} with {n} rows" for n, us in times.items()))
    if arguments.json:
        report = {"rows": [asdict(row) for row in rows], "drafter_us_per_token": times}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if arguments.streams > 1 or all(row.num_equal == row.num_problems for row in rows) else 1


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/steiner-tiny")
    parser.add_argument("--problems", type=int, default=2000, help="of all families and languages together")
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


def compared(ours: str, without: str, problems: Sequence[HeldOutProblem], streams: int) -> Compared:
    """Ask both servers, one after the other."""
    before = counters(ours)
    mine = all_said(ours, problems, streams)
    counted = {name: value - before[name] for name, value in counters(ours).items()}
    other = all_said(without, problems, streams)
    steps = counted["decode_steps"]
    return Compared(
        problems[0].family,
        problems[0].language,
        len(problems),
        sum(one == two for one, two in zip(mine, other, strict=True)),
        counted["decoded_tokens"] / steps,
        counted["drafted_tokens"] / steps,
        counted["accepted_tokens"] / max(1, counted["drafted_tokens"]),
    )


def all_said(url: str, problems: Sequence[HeldOutProblem], streams: int) -> list[Any]:
    """What a server answers to each."""
    with httpx.Client(timeout=600) as client, ThreadPoolExecutor(streams) as asking:
        return list(asking.map(lambda problem: said(client, url, problem.prompt), problems))


def said(client: httpx.Client, url: str, prompt: str) -> Any:
    """Answer, steps and usage, without what is another each time."""
    body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0}
    response = client.post(f"{url}/v1/chat/completions", json=body).raise_for_status().json()
    response["usage"].pop("prompt_tokens_details", None)
    for step in response["choices"][0]["message"].get("reasoning_steps") or ():
        del step["started_s"], step["finished_s"]
    return response["choices"], response["usage"]


def counters(url: str) -> Counters:
    """Those of speculation, summed over origins."""
    page = httpx.get(f"{url}/metrics").text
    found = re.findall(
        r"^steiner_((?:drafted|accepted|decode|decoded)_\w+)_total\S* (\S+)$", page, re.MULTILINE
    )
    sums: Counters = {}
    for name, value in found:
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def microseconds_per_token(model: Path, num_rows: int) -> float:
    """Time of `propose` for each token that it is told of; the median of many steps."""
    _, bound = load_protocol(Settings(model=str(model)))
    counts = SharedCounts(1)
    own = {"marks": plain_marks(marks_of(bound)), "on_cpu": True, "counts": counts.path}
    config: Any = SimpleNamespace(
        additional_config={CONFIG_KEY: own},
        speculative_config=SimpleNamespace(num_speculative_tokens=8),
        model_config=SimpleNamespace(max_model_len=MODEL_LENGTH, get_vocab_size=lambda: bound.vocab_size),
        scheduler_config=SimpleNamespace(max_num_seqs=num_rows),
        parallel_config=SimpleNamespace(data_parallel_rank=0, rank=0),
    )
    drafter = ProtocolDrafter(config)
    names = [str(row) for row in range(num_rows)]
    sampling = SimpleNamespace(sampling_params=SimpleNamespace(logit_bias=None, min_p=0.0, seed=None))
    runner = SimpleNamespace(
        input_batch=SimpleNamespace(req_ids=names), requests=dict.fromkeys(names, sampling)
    )
    drafter.attach(runner)
    automaton, rng = Automaton(bound, Policy(max_steps=60, max_backtracks=30, max_depth=30)), random.Random(1)
    tokens = np.zeros((num_rows, MODEL_LENGTH), np.int32)
    for row in range(num_rows):
        walk = legal_walk(automaton, 12, row).token_ids[:MODEL_LENGTH]
        tokens[row, : len(walk)] = walk
    lengths, spent = np.zeros(num_rows, np.int32), []
    while lengths.max() < 1200:
        new = [rng.randint(1, 3) for _ in range(num_rows)]
        sampled = [tokens[row, lengths[row] : lengths[row] + n].tolist() for row, n in enumerate(new)]
        lengths += np.array(new, np.int32)
        began = time.perf_counter()
        drafter.propose(sampled, lengths, tokens)
        spent.append((time.perf_counter() - began) / sum(new))
    counts.close()
    return statistics.median(spent) * 1e6


def table(rows: Sequence[Compared]) -> str:
    """Markdown."""
    head = ["family", "language", "problems", "equal", "tokens a step", "drafted a step", "accepted"]
    lines = [head, ["---"] * len(head)]
    lines += [
        [
            row.family, row.language, str(row.num_problems), str(row.num_equal), f"{row.tokens_per_step:.2f}",
            f"{row.drafted_per_step:.2f}", f"{row.accepted:.0%}",
        ]
        for row in rows
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    sys.exit(main())
