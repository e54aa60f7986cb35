"""What fits: the arithmetic against figures worked out by hand, and docs/deployment.md against the command."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from steiner.cli.serve_flags import settings_from
from steiner.plan.model_size import PlanError, read_model
from steiner.plan.placement import Choices, Machines, plan

ROOT = Path(__file__).resolve().parents[3]
LARGE = ROOT / "deploy" / "models" / "steiner-32b-preview.json"
GIB = 1 << 30


def steiner_plan(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", "plan", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_one_gpu_holds_what_is_left_of_it() -> None:
    model = read_model(LARGE)
    found = plan(model, Machines(139.0), Choices(trace_tokens=8192))
    assert found.budget == pytest.approx(125.1)
    assert found.weights == pytest.approx(model.weight_bytes / GIB)
    # One batch of 8192 tokens: two halves of the feed-forward and four vectors, of two bytes.
    assert found.reserve == pytest.approx(2.0 + 8192 * (2 * 27648 + 4 * 5120) * 2 / GIB)
    assert found.trace == 2.0
    assert found.concurrency == int((125.1 - found.weights - found.reserve) / 2)


def test_ranks_share_weights_and_cache() -> None:
    model = read_model(LARGE)
    one, four = (plan(model, Machines(139.0, gpus), Choices()) for gpus in (1, 4))
    assert four.weights == pytest.approx(one.weights / 4)
    assert four.trace == one.trace / 4
    # More ranks than heads of keys and values: the cache of a head is on several.
    eight = plan(model, Machines(139.0, 8), Choices())
    assert eight.trace == one.trace / 8
    twenty = plan(model, Machines(139.0, 20), Choices())
    assert twenty.trace == eight.trace


def test_machines_share_layers() -> None:
    model = read_model(LARGE)
    found = plan(model, Machines(22.5, 4, nodes=2), Choices())
    assert (found.tensor_parallel, found.pipeline_parallel) == (4, 2)
    # Half of the layers and one end of the model.
    half = (32 * model.layer_bytes + model.embedding_bytes) / 4 / GIB
    assert found.weights == pytest.approx(half)
    assert found.trace == 0.25


def test_gpus_beyond_the_ranks_hold_copies() -> None:
    found = plan(read_model(LARGE), Machines(79.0, 8), Choices(tensor_parallel=2))
    assert (found.copies, found.tensor_parallel) == (4, 2)
    assert f"--data-parallel-size 4 --max-running {4 * found.concurrency}" in found.flags


def test_what_does_not_fit_says_what_would() -> None:
    model = read_model(LARGE)
    with pytest.raises(PlanError, match=r"2 such GPUs in a machine are enough; or quantise"):
        plan(model, Machines(79.0), Choices(utilization=0.8))
    with pytest.raises(PlanError, match="Take larger GPUs; or quantise"):
        plan(model, Machines(4.0), Choices())
    with pytest.raises(PlanError, match="divide the 40 heads and the 6 GPUs of a machine: 1, 2; given 6"):
        plan(model, Machines(79.0, 6), Choices())
    small = read_model(LARGE, "awq")
    with pytest.raises(PlanError, match="are enough; or shorten the trace"):
        plan(small, Machines(24.0), Choices())


def test_the_flags_are_the_servers() -> None:
    found = plan(read_model(LARGE), Machines(22.5, 4, nodes=2), Choices())
    choices = Choices(utilization=0.95, kv_width=1, batch_tokens=4096)
    settings = settings_from(["MODEL", *shlex.split(" ".join([*found.flags, *choices.flags]))])
    assert (settings.tensor_parallel_size, settings.pipeline_parallel_size, settings.nnodes) == (4, 2, 2)
    assert settings.max_num_seqs == found.concurrency
    assert settings.gpu_memory_utilization == 0.95
    assert settings.engine_args == {"kv_cache_dtype": "fp8", "max_num_batched_tokens": 4096}


def test_the_command_prints_the_table_and_the_flags() -> None:
    done = steiner_plan(str(LARGE), "--gpu-memory-gib", "79", "--gpus", "2")
    assert done.returncode == 0, done.stderr
    assert "32.76e9 parameters" in done.stdout
    assert done.stdout.splitlines()[-1] == "steiner serve MODEL --tensor-parallel-size 2 --max-num-seqs 37"
    refused = steiner_plan(str(LARGE), "--gpu-memory-gib", "24")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("steiner: of the 21.6 GiB")
    assert len(refused.stderr.splitlines()) == 1


def rows_of_the_page() -> list[list[str]]:
    page = (ROOT / "docs" / "deployment.md").read_text()
    table = page.split("## Which GPUs hold it\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if "| `--gpu-memory-gib" in line]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("row", rows_of_the_page(), ids=lambda row: row[0])
def test_the_pages_table_is_what_the_command_says(row: list[str]) -> None:
    _, options, weights, cache, trace, concurrency, flags = row
    done = steiner_plan(str(LARGE), *shlex.split(options.strip("`")), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert weights == f"{found['weights']:.1f}"
    assert cache == f"{found['cache']:.1f}"
    assert trace == f"{found['trace']:.2f}"
    assert concurrency == str(found["concurrency"])
    assert re.sub("^`|`$", "", flags) == found["flags"]
