"""The model of capacity: its queue behaves as queues do, and the page has its figures."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "capacity.md").read_text()


@pytest.fixture(scope="module")
def capacity() -> Iterator[ModuleType]:
    """benchmarks/ holds scripts beside each other and no package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module("capacity")
    sys.path.remove(str(ROOT / "benchmarks"))
    sys.modules.pop("capacity", None)


def test_few_users_wait_for_nothing_and_have_the_pace_of_the_weights(capacity: ModuleType) -> None:
    costs = capacity.Costs()
    node = capacity.node_of(costs, 2)
    seen = capacity.Simulation(node, costs, 10).run()
    assert seen.late_wait_s < 0.1
    pace = sum(seen.paces) / len(seen.paces)
    # A token of the engine and the process' time for it, one behind the other.
    alone = 1 / (node.step_s(1) + costs.token_s)
    assert alone * 0.95 < pace <= alone
    # Little's law: of each user's time that part is a generation.
    service_s = costs.trace_tokens / pace
    expected = 10 * service_s / (service_s + costs.think_s)
    assert seen.running_s / capacity.MEASURED_S == pytest.approx(expected, rel=0.2)


def test_more_than_there_are_places_wait(capacity: ModuleType) -> None:
    costs = capacity.Costs(think_s=1.0)
    small = capacity.Node(processes=1, copies=1, places=2, weights_s=0.01, sequence_s=0.001)
    seen = capacity.Simulation(small, costs, 6).run()
    # Four of six wait: twice as long as a generation takes.
    length_s = costs.trace_tokens * (small.step_s(2) + costs.token_s)
    assert seen.running_s / capacity.MEASURED_S == pytest.approx(2, rel=0.05)
    assert sum(seen.waits_s) / len(seen.waits_s) == pytest.approx(2 * length_s, rel=0.35)


def test_a_process_that_has_too_many_tokens_makes_streams_wait(capacity: ModuleType) -> None:
    slow = capacity.Costs(token_s=0.01, think_s=1.0)
    wide = capacity.Node(processes=1, copies=1, places=8, weights_s=0.01, sequence_s=0.0)
    seen = capacity.Simulation(wide, slow, 8).run()
    assert seen.busy_s / capacity.MEASURED_S > 0.95
    assert seen.late_lag_s > 1
    assert seen.late_lag_s > capacity.Simulation(wide, capacity.Costs(think_s=1.0), 8).run().late_lag_s


def test_the_page_has_the_models_figures(capacity: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = capacity.Costs()
    for figure in (
        f"{costs.token_s * 1e6:.0f} µs",
        f"{costs.request_s * 1e3:.1f} ms",
        f"{costs.save_s * 1e6:.0f} µs",
    ):
        assert figure in PAGE
    assert f"{costs.token_bytes} and {costs.stored_bytes} bytes" in PAGE
    node = capacity.node_of(costs, 2)
    full = 1 / node.step_s(node.places)
    assert f"{node.places} places a copy" in PAGE
    assert f"gets {1 / node.step_s(1):.0f} tokens a second alone, and {full:.0f} when" in PAGE
    assert f"{capacity.process_limit(costs, full)} streams of {full:.0f} tokens a second" in PAGE
    assert f"{0.9 / costs.saves_per_s / costs.save_s:,.0f} streams" in PAGE
    # The cheap row is computed again; the others are as expensive as they are large.
    monkeypatch.setattr(capacity, "SCALES", (10,))
    head, rule, row = capacity.table(node, costs, share=609)
    for line in (head, rule, row):
        assert line in PAGE
