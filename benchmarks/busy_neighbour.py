"""What a busy core costs an engine that computes on the other one: the share of a front end that no front end can save.

    VLLM_CPU_OMP_THREADS_BIND=1 python benchmarks/busy_neighbour.py [--repeats 12] [--streams 64]

The bare engine (`one-process+grammar` of serve.py) takes turns alone and beside a process of the lowest priority that
is bound to the other cores and does what front ends do: JSON in and out. It needs nothing of the engine; where cores
share power, caches or a physical core of the host, the engine is slower all the same.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from serve import bodies_of
from serving_lanes import ONE_PROCESS, Load, RawLane, RawProcess, engine_arguments_of_all

MODEL = Path(__file__).resolve().parents[1] / "models/steiner-tiny"
CHUNK = {"choices": [{"delta": {"content": "x" * 20, "reasoning": [{"id": i} for i in range(20)]}}]}
BUSY = f"import json\nchunk = {CHUNK!r}\nwhile True:\n    json.loads(json.dumps(chunk))"


def main() -> int:
    """Measure both in turn; print tokens per second and the share that is left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--streams", type=int, default=64)
    arguments = parser.parse_args()
    engine_core = os.environ.get("VLLM_CPU_OMP_THREADS_BIND", "")
    if not engine_core.isdecimal():
        parser.error("say which core computes: VLLM_CPU_OMP_THREADS_BIND=1")
    others = os.sched_getaffinity(0) - {int(engine_core)}
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    body = bodies_of(arguments.model, max_tokens=256)["grammar"]
    engine_args = engine_arguments_of_all(arguments.streams) | {"distributed_executor_backend": ONE_PROCESS}
    load = Load(arguments.streams, 2 * arguments.streams, ())
    pace: dict[bool, list[float]] = {False: [], True: []}
    with RawProcess({"model": str(arguments.model)} | engine_args) as process:
        lane = RawLane("one-process+grammar", process, body)
        lane.wait_until_ready()
        for repeat in range(arguments.repeats + 1):
            for is_beside in (False, True) if repeat % 2 else (True, False):
                with busy(others) if is_beside else nullcontext():
                    run = lane.measure(load)
                # The first turn warms caches.
                if repeat:
                    pace[is_beside].append(run.tokens_per_s)
    shares = [beside / alone for alone, beside in zip(pace[False], pace[True], strict=True)]
    error = statistics.stdev(shares) / len(shares) ** 0.5
    print(json.dumps({"alone": pace[False], "beside": pace[True]}))
    print(
        f"alone {statistics.mean(pace[False]):.0f} tok/s, beside a busy core {statistics.mean(pace[True]):.0f}"
    )
    print(f"share {statistics.mean(shares):.3f}, standard error {error:.3f}, {len(shares)} pairs")
    return 0


@contextmanager
def busy(cores: set[int]) -> Iterator[None]:
    """A process on these cores that gives way to every other."""

    def step_back() -> None:
        os.sched_setaffinity(0, cores)
        os.nice(19)

    process = subprocess.Popen([sys.executable, "-c", BUSY], preexec_fn=step_back)
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
