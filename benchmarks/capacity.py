"""How many users a deployment holds, and what gives way first: a discrete-event model with measured costs.

    python benchmarks/capacity.py                        # the tables of docs/capacity.md
    python benchmarks/capacity.py --picture docs/pictures/capacity.svg

Users ask, read, think and ask again. A generation waits for a place on a copy of the model, then takes tokens at the
pace that the copy has with so many sequences; each token goes through the server's one process, which is busy for
what docs/performance.md measured. What replicas share (Redis, the network) is added up over all of them. `Costs` says
which figures are measured and which are assumed. The same seed gives the same figures.
"""

import argparse
import math
import random
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

import simpy

from steiner.plan.model_size import read_model
from steiner.plan.placement import Choices, Machines, plan

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "deploy/models/steiner-32b-preview.json"
#: Tokens that a generation takes at once in the model: events are not counted for each.
QUANTUM = 128
WARM_UP_S, MEASURED_S = 400.0, 600.0
#: What one in twenty may wait for a place, and for tokens that are there to be sent.
LONGEST_WAIT_S, LONGEST_LAG_S = 5.0, 0.1
SCALES = (10, 1_000, 100_000)
#: Two server processes: of more, none is needed.
CHOSEN = 1


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured on one machine without a GPU, but for the last four.

    Attributes:
        token_s: CPU time of the server's process for a token, beside an engine that competes for the caches.
        request_s: the same for a request, whatever its length.
        save_s: Redis' CPU time for one save of a running generation; benchmarks/store_cost.py.
        saves_per_s: of each running generation; the recorder's interval.
        token_bytes: of a step stream on the wire; benchmarks/store_cost.py.
        stored_bytes: of a token in Redis; benchmarks/store_cost.py.
        bandwidth: assumed, bytes a second that a GPU reads its memory with: an H100's figure, of which...
        efficiency: ...a decoding step reaches this share.
        trace_tokens: assumed, mean of reasoning and answer; half of them are below 0.83 of it.
        think_s: assumed, mean time between an answer and the next question.
    """

    token_s: float = 100e-6
    request_s: float = 1.5e-3
    save_s: float = 24e-6
    saves_per_s: float = 2.0
    token_bytes: int = 132
    stored_bytes: int = 20
    bandwidth: float = 3.35e12
    efficiency: float = 0.6
    trace_tokens: int = 4096
    think_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Node:
    """Eight GPUs of 80 GB: copies of the model, two GPUs each, behind server processes that have as many each.

    Attributes:
        places: sequences that a copy decodes at once, so that their traces fit into its KV cache.
        weights_s: a decoding step's time for reading the weights, whatever the number of sequences.
        sequence_s: its time for reading the KV cache of one sequence.
    """

    processes: int
    copies: int
    places: int
    weights_s: float
    sequence_s: float

    def step_s(self, num_sequences: int) -> float:
        """Duration of a decoding step: a token of every sequence."""
        return self.weights_s + self.sequence_s * num_sequences


def node_of(costs: Costs, processes: int) -> Node:
    """By the arithmetic of `steiner plan`, and the time that memory takes to be read."""
    fit = plan(read_model(MODEL), Machines(79.0, 8), Choices(costs.trace_tokens, tensor_parallel=2))
    speed = costs.bandwidth * costs.efficiency / 2**30
    # A sequence is half through its trace in the mean.
    return Node(processes, fit.copies, fit.concurrency, fit.weights / speed, fit.trace / 2 / speed)


@dataclass(slots=True)
class Figures:
    """What was seen of one node after the warm-up."""

    waits_s: list[float] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    num_tokens: int = 0
    busy_s: float = 0.0
    running_s: float = 0.0

    @property
    def late_wait_s(self) -> float:
        """What one in twenty waits at least for a place."""
        return quantiles(self.waits_s, n=20)[-1] if len(self.waits_s) > 1 else 0.0

    @property
    def late_lag_s(self) -> float:
        """What one in twenty waits at least for a process that is busy with others' tokens."""
        return quantiles(self.lags_s, n=20)[-1] if len(self.lags_s) > 1 else 0.0


class Simulation:
    """One node and its users."""

    def __init__(self, node: Node, costs: Costs, num_users: int, seed: int = 0) -> None:
        self._env = simpy.Environment()
        self._node, self._costs, self._rng = node, costs, random.Random(seed)
        self._copies = [simpy.Resource(self._env, node.places) for _ in range(node.copies)]
        self._processes = [simpy.Resource(self._env, 1) for _ in range(node.processes)]
        self._figures = Figures()
        for _ in range(num_users):
            self._env.process(self._user())

    def run(self) -> Figures:
        """Warm up, then measure."""
        self._env.run(until=WARM_UP_S + MEASURED_S)
        return self._figures

    @property
    def _counts(self) -> bool:
        return self._env.now >= WARM_UP_S

    def _user(self) -> Generator[Any, Any, None]:
        rng, costs = self._rng, self._costs
        # Nobody begins at the same moment.
        yield self._env.timeout(rng.uniform(0, 2 * costs.think_s))
        while True:
            # A log-normal length whose mean is right, and nothing beyond twice of it, which is where limits are.
            length = rng.lognormvariate(math.log(costs.trace_tokens) - 0.18, 0.6)
            yield from self._generation(max(QUANTUM, min(round(length), 2 * costs.trace_tokens)))
            yield self._env.timeout(rng.expovariate(1 / costs.think_s))

    def _generation(self, num_tokens: int) -> Generator[Any, Any, None]:
        env, costs, figures = self._env, self._costs, self._figures
        asked = env.now
        number = min(range(len(self._copies)), key=self._load)
        copy, process = self._copies[number], self._processes[number % len(self._processes)]
        yield from self._work(process, costs.request_s)
        with copy.request() as place:
            yield place
            begun = env.now
            if self._counts:
                figures.waits_s.append(begun - asked)
            for _ in range(0, num_tokens, QUANTUM):
                yield env.timeout(QUANTUM * self._node.step_s(copy.count))
                self._count_running(copy)
                # A user has tokens when the process has sent them.
                yield from self._work(process, QUANTUM * costs.token_s)
            if self._counts:
                figures.paces.append(num_tokens / (env.now - begun))

    def _count_running(self, copy: simpy.Resource) -> None:
        if self._counts:
            self._figures.num_tokens += QUANTUM
            self._figures.running_s += QUANTUM * self._node.step_s(copy.count)

    def _load(self, number: int) -> int:
        copy = self._copies[number]
        return copy.count + len(copy.queue)

    def _work(self, process: simpy.Resource, work_s: float) -> Generator[Any, Any, None]:
        asked = self._env.now
        with process.request() as turn:
            yield turn
            yield self._env.timeout(work_s)
        if self._counts:
            self._figures.lags_s.append(self._env.now - asked - work_s)
            self._figures.busy_s += work_s


def largest_share(node: Node, costs: Costs) -> int:
    """Users that a node holds while nineteen in twenty wait no longer than they may."""
    low, high = 1, 4 * node.copies * node.places
    while high - low > max(1, low // 40):
        middle = (low + high) // 2
        seen = Simulation(node, costs, middle).run()
        is_fine = seen.late_wait_s <= LONGEST_WAIT_S and seen.late_lag_s <= LONGEST_LAG_S
        low, high = (middle, high) if is_fine else (low, middle)
    return low


def process_limit(costs: Costs, pace: float) -> int:
    """Streams of that many tokens a second that one server process passes on, at nine tenths of its core."""
    return int(0.9 / (costs.token_s * pace))


def table(node: Node, costs: Costs, share: int) -> list[str]:
    """A row for each number of users: nodes, and how busy everything is."""
    rows = [
        "| users | nodes | streams at once | tokens/s of a stream | wait, p95 | places | server processes "
        "| Redis | network |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for users in SCALES:
        num_nodes = math.ceil(users / share)
        seen = Simulation(node, costs, math.ceil(users / num_nodes)).run()
        streams = seen.running_s / MEASURED_S * num_nodes
        places = streams / (num_nodes * node.copies * node.places)
        redis = streams * costs.saves_per_s * costs.save_s
        network = seen.num_tokens / MEASURED_S * num_nodes * costs.token_bytes * 8 / 1e6
        rows.append(
            f"| {users:,} | {num_nodes} | {streams:,.0f} | {fmean(seen.paces):.0f} | {seen.late_wait_s:.1f} s "
            f"| {places:.0%} | {seen.busy_s / MEASURED_S / node.processes:.0%} | {redis:.0%} | {network:,.1f} Mbit/s |"
        )
    return rows


def draw(node: Node, costs: Costs, share: int, path: Path) -> None:
    """Wait, pace and the process' time over users of one node."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "steiner"
    users = [round(share * part) for part in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)]
    seen = [Simulation(node, costs, number).run() for number in users]
    panels = {
        "wait for a place, p95 (s)": [figures.late_wait_s for figures in seen],
        "tokens a second of a stream": [fmean(figures.paces) for figures in seen],
        "time of the server process (%)": [
            100 * figures.busy_s / MEASURED_S / node.processes for figures in seen
        ],
    }
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for axis, (name, values) in zip(axes, panels.items(), strict=True):
        axis.plot(users, values, marker="o", markersize=3)
        axis.axvline(share, linestyle=":", color="grey")
        axis.set(xlabel="users of one node", title=name)
        axis.set_ylim(bottom=0)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Print what docs/capacity.md has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=Path, help="SVG of one node over its users")
    arguments = parser.parse_args()
    costs = Costs()
    nodes = [node_of(costs, processes) for processes in (1, 2, 4)]
    shares = [largest_share(node, costs) for node in nodes]
    alone, full = 1 / nodes[0].step_s(1), 1 / nodes[0].step_s(nodes[0].places)
    print(
        f"{nodes[0].copies} copies of {nodes[0].places} places; {alone:.0f} tokens/s of a stream alone, {full:.0f} "
        f"where all places are taken"
    )
    print(f"one server process: {process_limit(costs, full):,} streams of {full:.0f} tokens/s")
    print(f"one core of Redis: {0.9 / (costs.saves_per_s * costs.save_s):,.0f} streams")
    for node, share in zip(nodes, shares, strict=True):
        print(f"server processes: {node.processes}, users: {share}")
    print("\n".join(table(nodes[CHOSEN], costs, shares[CHOSEN])))
    if arguments.picture:
        draw(nodes[CHOSEN], costs, shares[CHOSEN], arguments.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
