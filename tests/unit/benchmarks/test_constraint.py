"""The benchmark of the constraint: its walks are legal and use up the policy, and its report holds what it says."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.decoding import section_texts
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.parser import Parser
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols import PROTOCOLS

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
SCRIPTS = ("legal_walks", "constraint_cost", "constraint_report", "constraint")
NUM_ROWS = 2000

Scripts = dict[str, ModuleType]


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    """benchmarks/ holds scripts beside each other and no package: loaded in the order of their imports."""
    loaded = {}
    for name in SCRIPTS:
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        loaded[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    yield loaded
    for name in SCRIPTS:
        del sys.modules[name]


@pytest.fixture(params=["steiner", "steiner-preview"])
def protocol(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.mark.parametrize("steps", [1, 8, 32])
def test_a_walk_is_legal_and_uses_up_the_steps(protocol: str, steps: int, scripts: Scripts) -> None:
    walks = scripts["legal_walks"]
    tokenizer = walks.word_tokenizer(PROTOCOLS[protocol], NUM_ROWS)
    assert len(tokenizer) == NUM_ROWS
    automaton = Automaton(
        PROTOCOLS[protocol].bind(tokenizer), Policy(max_steps=steps, max_backtracks=steps // 2)
    )
    walk = walks.legal_walk(automaton, 10, seed=3)
    # `advance` refuses what is not legal; the parser agrees with the walk's own count.
    state = automaton.initial
    for token_id, phase in zip(walk.token_ids, walk.phases, strict=True):
        assert phase == state.phase or (phase, state.phase) == ("section", "text")
        state = automaton.advance(state, token_id)
    parser = Parser(automaton.bound, section_texts(tokenizer.backend_tokenizer))
    parser.feed(walk.token_ids)
    assert (walk.num_steps, len(parser.trace.steps), parser.num_violations) == (steps, steps, 0)
    lengths = [section.num_tokens for step in parser.trace.steps for section in step.sections]
    assert all(5 <= length <= 15 for length in lengths)
    assert walk == walks.legal_walk(automaton, 10, seed=3)


def test_what_is_refused_is_no_measurement(scripts: Scripts) -> None:
    walks, cost = scripts["legal_walks"], scripts["constraint_cost"]
    tokenizer = walks.word_tokenizer(PROTOCOLS["steiner"], NUM_ROWS)
    bound = PROTOCOLS["steiner"].bind(tokenizer)
    walk = walks.legal_walk(Automaton(bound, Policy(max_steps=6)), 4, seed=1)
    engine = cost.Engine(tokenizer, bound, NUM_ROWS)
    with pytest.raises(cost.RefusedError, match="the grammar refuses token"):
        engine.follow(compile_grammar(bound, Policy(max_steps=5)), walk.token_ids)
    new_decoder = section_texts(tokenizer.backend_tokenizer)
    assert cost.conduct(bound, Policy(max_steps=6), walk.token_ids, new_decoder) > 0
    with pytest.raises(cost.RefusedError, match="an intervention cuts"):
        cost.conduct(bound, Policy(max_reasoning_tokens=40), walk.token_ids, new_decoder)


def test_a_run_with_small_counts(scripts: Scripts, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    command = "constraint.py --steps 2 3 --efforts minimal low --rows 2000 --section-tokens 4 --repeats 2"
    outputs = ["--json", str(tmp_path / "cost.json"), "--figure", str(tmp_path / "cost.svg")]
    monkeypatch.setattr(sys, "argv", [*command.split(), *outputs])
    assert scripts["constraint"].main() == 0
    compiled, followed = capsys.readouterr().out.strip().split("\n\n")
    # Head, rule, and four policies of two protocols.
    assert compiled.count("\n") == followed.count("\n") == 9
    report = json.loads((tmp_path / "cost.json").read_text())
    assert report["machine"]["versions"]["llguidance"]
    assert [(record["protocol"], record["policy"]) for record in report["results"]] == [
        (protocol, policy)
        for protocol in ("steiner", "steiner-preview")
        for policy in ("2", "3", "minimal", "low")
    ]
    for record in report["results"]:
        assert sum(record["share_of_phases"].values()) == pytest.approx(1)
        for spread in (*record["seconds"].values(), *record["us_per_token"].values()):
            assert 0 < spread["min"] <= spread["median"] <= spread["max"]
        lanes = {name: spread["median"] for name, spread in record["us_per_token"].items()}
        assert lanes["grammar_and_parser"] > lanes["grammar"]
    assert (tmp_path / "cost.svg").read_text().startswith("<?xml")


def test_the_engines_table_sets_our_highest_cost_beside_its_own(scripts: Scripts) -> None:
    table: Callable[..., str] = scripts["constraint_report"].engine_table
    results = [{"us_per_token": {"grammar_and_parser": {"median": cost}}} for cost in (6.0, 8.0)]
    costs = {"alone_wall": 400, "with_grammar_wall": 500, "alone_cpu": 800, "with_grammar_cpu": 1000}
    lanes = {name: {"median": cost} for name, cost in costs.items()}
    engine = {"model": "tiny", "vocab_size": 2048, "us_per_token": {"64": lanes}}
    assert table(engine, results).splitlines()[-1] == "| 64 | 400 | 500 | 800 | 1,000 | 2.0% | 1.0% |"
