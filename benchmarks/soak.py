"""Thousands of short generations from clients that read, leave, resume, cancel, dawdle and send nonsense.

    python benchmarks/soak.py --scripted                 # our server over an engine that costs nothing
    python benchmarks/soak.py --generations 2000         # over vLLM and models/steiner-tiny

Each generation must end in exactly one terminal event, seen through its stream, by resuming, or by reading it
later. After every tenth of the storm the clients pause until the server is quiet, and what it holds is put
beside what it held after the first: tasks, open files, memory. At the end the metrics are compared with what
the clients counted. Anything wrong is printed, and the exit status is 1. The same seed plays the same scenarios.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from soak_ledger import Broken, Ledger, Sample, take_sample
from soak_responses import CALM_RESPONSES, RESPONSE_SCENARIOS
from soak_scenarios import CALM, SCENARIOS, SMALL_BUFFER, WITHOUT_GENERATION, Clients, Scenario

from steiner.cli.local_server import LocalServer, free_port, serve_command

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models/steiner-tiny"
ROUNDS = 10
#: The round behind which nothing that is meant to grow still does: caches, kept generations.
SETTLED = 2
RETAINED = 200
MAX_GROWTH_MIB = 32.0
QUIET_TIMEOUT_S = 30.0
SCENARIO_TIMEOUT_S = 300.0
#: The server closes a connection that was idle for 5 s. A client that sends on one at that moment loses its request.
REUSE_S = 2.0
#: Requests that begin no generation, to each that does.
NONSENSE = 0.2


@dataclass(frozen=True, slots=True)
class Soak:
    """A server under storm."""

    url: str
    pid: int
    model: str
    concurrency: int

    async def round(self, scenarios: Sequence[tuple[Scenario, int]], ledger: Ledger) -> Sample:
        """Play these, each with its seed; the sample is taken when the server is quiet again."""
        waiting = iter(scenarios)
        limits = httpx.Limits(max_connections=None, keepalive_expiry=REUSE_S)
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=120, limits=limits) as usual,
            httpx.AsyncClient(
                base_url=self.url,
                timeout=120,
                transport=httpx.AsyncHTTPTransport(limits=limits, socket_options=SMALL_BUFFER),
            ) as slow,
            asyncio.TaskGroup() as group,
        ):
            clients = Clients(self.model, usual, slow, ledger)
            for _ in range(self.concurrency):
                group.create_task(self._play(clients, waiting))
        return await self.quiet(ledger)

    @staticmethod
    async def _play(clients: Clients, waiting: Iterator[tuple[Scenario, int]]) -> None:
        ledger = clients.ledger
        for scenario, seed in waiting:
            ledger.scenarios[scenario.__name__] += 1
            try:
                async with asyncio.timeout(SCENARIO_TIMEOUT_S):
                    await scenario(clients, random.Random(seed))
            except (Broken, httpx.HTTPError, TimeoutError, OSError) as error:
                ledger.broken.append(f"{scenario.__name__}, seed {seed}: {type(error).__name__} {error}")

    async def quiet(self, ledger: Ledger) -> Sample:
        """Wait until nothing runs, then until tasks and files stop going down."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        sample = await take_sample(self.url, self.pid)
        while True:
            await asyncio.sleep(0.3)
            before, sample = sample, await take_sample(self.url, self.pid)
            is_level = (sample.num_tasks, sample.num_files) >= (before.num_tasks, before.num_files)
            if not sample.busy and is_level:
                return sample
            if time.monotonic() > deadline:
                ledger.broken.append(
                    f"{sample.busy} generations or requests in hand after {QUIET_TIMEOUT_S:g} s"
                )
                return sample


def main() -> int:
    """Storm, print, judge."""
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # On a CPU the engine's matrix products are compiled for each shape of a batch, and oneDNN keeps 1,024 of them: a
    # hundred megabytes and more, which come with new shapes and would hide a leak.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4")
    with tempfile.TemporaryDirectory(prefix="steiner-soak-") as scratch:
        port = free_port()
        command = server_command(port, Path(scratch) / "store.sqlite", scripted=arguments.scripted)
        with LocalServer(command, port) as server:
            server.wait_until_ready()
            soak = Soak(server.url, server.pid, MODEL.name, arguments.concurrency)
            begin_s = time.monotonic()
            broken = asyncio.run(storm(soak, arguments.generations, arguments.seed))
            print(f"{time.monotonic() - begin_s:.0f} s, seed {arguments.seed}")
    for line in broken:
        print(f"BROKEN: {line}", file=sys.stderr)
    return 1 if broken else 0


def server_command(port: int, store_path: Path, *, scripted: bool) -> list[str]:
    """Either server, with a store of its own."""
    if not scripted:
        kept = ["--store-path", str(store_path), "--max-retained", str(RETAINED)]
        return [*serve_command(MODEL, port), *kept]
    command = [sys.executable, str(HERE / "scripted_server.py"), "--port", str(port), "--pace-ms", "2"]
    command += ["--steps", "1", "2", "4", "8", "--setting", f"max_retained={RETAINED}"]
    return [*command, "--setting", f"store_path={json.dumps(str(store_path))}"]


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scripted", action="store_true", help="over an engine that costs nothing")
    parser.add_argument("--generations", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


async def storm(soak: Soak, num_generations: int, seed: int) -> list[str]:
    """Play all rounds and a calm one; gives what was broken."""
    rng = random.Random(seed)
    ledger, samples = Ledger(), []
    first = await soak.quiet(ledger)
    print(
        "| generations | tasks | open files | front end, MiB | engine, MiB | broken |\n|---|---|---|---|---|---|"
    )
    for number in range(1, ROUNDS + 1):
        count = num_generations * number // ROUNDS - num_generations * (number - 1) // ROUNDS
        samples.append(await soak.round(drawn(rng, count), ledger))
        print(row(samples[-1], first, ledger), flush=True)
    broken = [*ledger.broken, *ledger.check_counts(first, samples[-1]), *leaks(samples)]
    calm = Ledger()
    calm_ones = CALM | CALM_RESPONSES
    chosen = rng.choices(list(calm_ones), list(calm_ones.values()), k=max(1, num_generations // 20))
    last = await soak.round([(one, rng.randrange(1 << 30)) for one in chosen], calm)
    broken += [*calm.broken, *calm.check_counts(samples[-1], last)]
    print(summary(ledger, first, samples[-1]))
    return broken


def drawn(rng: random.Random, count: int) -> list[tuple[Scenario, int]]:
    """So many scenarios with a generation each, and nonsense between them; each with a seed."""
    begin = SCENARIOS | RESPONSE_SCENARIOS
    chosen = rng.choices(list(begin), list(begin.values()), k=count)
    chosen += rng.choices(
        list(WITHOUT_GENERATION), list(WITHOUT_GENERATION.values()), k=round(count * NONSENSE)
    )
    rng.shuffle(chosen)
    return [(scenario, rng.randrange(1 << 30)) for scenario in chosen]


def leaks(samples: Sequence[Sample]) -> list[str]:
    """What grew between the first quiet moment and the last; memory from where caches are full."""
    first, settled, last = samples[0], samples[SETTLED - 1], samples[-1]
    wrong = []
    if last.num_tasks > first.num_tasks:
        wrong.append(f"tasks of the event loop: {first.num_tasks}, at the end {last.num_tasks}")
    if last.num_files > first.num_files:
        wrong.append(f"open files: {first.num_files}, at the end {last.num_files}")
    for name, before, after in (
        ("front end", settled.rss_mib, last.rss_mib),
        ("engine", settled.engine_rss_mib, last.engine_rss_mib),
    ):
        if after - before > MAX_GROWTH_MIB:
            wrong.append(f"memory of the {name}: {before:.0f} MiB, at the end {after:.0f} MiB")
    return wrong


def row(sample: Sample, first: Sample, ledger: Ledger) -> str:
    """One line of the table."""
    cells = [
        str(sample.num_ended() - first.num_ended()), str(sample.num_tasks), str(sample.num_files),
        f"{sample.rss_mib:.0f}", f"{sample.engine_rss_mib:.0f}", str(len(ledger.broken)),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def summary(ledger: Ledger, first: Sample, last: Sample) -> str:
    """What was played, and how it ended."""
    ended = last.generations - first.generations
    return "\n".join(
        [
            "scenarios: " + ", ".join(f"{name} {n}" for name, n in sorted(ledger.scenarios.items())),
            "outcomes: " + ", ".join(f"{of} {how} {n}" for (of, how), n in sorted(ended.items())),
            "refusals: "
            + ", ".join(f"{status or 'hung up'} {n}" for status, n in sorted(ledger.refusals.items())),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
