"""How the benchmark of interventions takes its times and counts, over scripted engines."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from steiner.server.engine.base import Sampling, TokenRequest
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "interventions.py"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("interventions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["interventions"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["interventions"]


def request(request_id: str) -> TokenRequest:
    return TokenRequest(request_id, (1,), 100, Sampling(), stop_ids=())


async def test_a_pause_lasts_from_the_last_token_before_a_cut_to_the_first_behind_it(
    benchmark: ModuleType,
) -> None:
    timed = benchmark.TimedEngine(ScriptedEngine([Script(range(9))]))
    cut, other = timed.generate(request("cut")), timed.generate(request("other"))
    for stream in (cut, other, cut, cut, other, other, other):
        await anext(stream)
    await cut.aclose()
    assert (len(timed.steps_s), timed.pauses_s, timed.passed) == (2 + 3, [], [])
    await anext(timed.generate(request("cut-1")))
    assert len(timed.pauses_s) == 1
    assert timed.pauses_s[0] > 0
    assert timed.passed == [3]
    # Another generation's first token is no pause.
    await anext(timed.generate(request("third")))
    assert len(timed.pauses_s) == 1


def test_every_provocation_is_one_kind_and_budgets_may_differ(benchmark: ModuleType) -> None:
    kinds: dict[str, Any] = benchmark.PROVOCATIONS
    assert set(kinds) == {"budget", "budget at once", "verifier", "loop", "memory", "answer"}
    assert [kinds["budget"].policy_of(index).max_reasoning_tokens for index in (0, 1, 15)] == [40, 43, 85]
    assert {kinds["budget at once"].policy_of(index).max_reasoning_tokens for index in range(16)} == {60}
    assert kinds["memory"].policy_of(3) == kinds["memory"].policy
