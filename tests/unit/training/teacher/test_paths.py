"""Traces sampled from a DAG: legal, with detours that turn back where they began, all different."""

import random

import pytest

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.training.problems.base import SectionTexts
from steiner.training.problems.dag import Dag
from steiner.training.teacher.completions import StepTree, TreeStep
from steiner.training.teacher.config import Paths
from steiner.training.teacher.dag import build_taught_dag
from steiner.training.teacher.paths import NO_WAY, sample_paths
from steiner.training.traces.render import render
from steiner.training.traces.walk import TaughtTrace

STEPS = [("a", 0), ("b", 1), ("c", 2), ("x", 0), ("y", 4), ("z", 5), ("w", 1), ("v", 2)]
"""a, b, c is the way; x, y, z leaves it at once, w behind a, v behind b."""


def graph(refuted: tuple[int, ...] = (), ends: tuple[int, ...] = (3,)) -> tuple[Dag, StepTree]:
    tree = StepTree(
        [
            TreeStep(SectionTexts(f"at {text}", text, "seems right", f"now {text}"), parent, n in refuted)
            for n, (text, parent) in enumerate(STEPS, 1)
        ],
        list(ends),
    )
    return build_taught_dag(tree, list(range(len(STEPS))), [text for text, _ in STEPS]).dag, tree


def sample(settings: Paths, tree: StepTree, dag: Dag, seed: int = 1) -> list[TaughtTrace]:
    return sample_paths(dag, tree, "42", settings, "en", random.Random(seed))


def test_traces_differ_and_end_at_the_answer() -> None:
    dag, tree = graph()
    traces = sample(Paths(per_question=12), tree, dag)
    assert len(traces) == 12
    assert len({tuple((s.node, s.decision) for s in trace.steps) for trace in traces}) == 12
    for trace in traces:
        assert trace.answer == "42"
        assert trace.conclusions() == ["now a", "now b", "now c"]
        assert trace.steps[-1].decision == "end"


def test_a_detour_goes_over_dead_nodes_and_turns_back_to_its_fork() -> None:
    dag, tree = graph()
    for trace in sample(Paths(per_question=20, forward=0), tree, dag):
        live: list[int] = [0]
        assert trace.num_backtracks
        for step in trace.steps:
            assert step.node in {end for _, end in dag.nodes[live[-1]].successors}
            live.append(step.node)
            if isinstance(step.decision, int):
                assert step.verdict == "refuted"
                assert not dag.nodes[step.node].is_alive
                del live[step.decision + 1 :]
                assert dag.nodes[live[-1]].is_alive
            else:
                assert step.verdict == "verified"


def test_no_dead_end_is_entered_twice_in_a_trace() -> None:
    dag, tree = graph()
    for trace in sample(Paths(per_question=30, max_detours=6, forward=0), tree, dag):
        refuted = [step.node for step in trace.steps if step.verdict == "refuted"]
        assert len(refuted) == len(set(refuted))


def test_the_reason_is_the_teachers_where_it_gave_one() -> None:
    dag, tree = graph(refuted=(8,))
    tree.reasons[5] = "y does not follow"
    by_text = {}
    for trace in sample(Paths(per_question=40, forward=0), tree, dag):
        for step in trace.steps:
            if step.verdict == "refuted":
                by_text[step.sections.next_step] = step.sections.verification
    assert by_text["v"] == "seems right"
    assert by_text["y"] == by_text["z"] == "y does not follow"
    assert by_text["x"] == by_text["w"] == NO_WAY["en"]


def test_one_trace_at_most_is_forward_only_here() -> None:
    dag, tree = graph()
    assert len(sample(Paths(per_question=5, forward=1), tree, dag)) == 1
    assert all(t.num_backtracks == 0 for t in sample(Paths(forward=1), tree, dag))


def test_no_trace_is_deeper_than_allowed() -> None:
    dag, tree = graph()
    traces = sample(Paths(per_question=40, max_depth=3), tree, dag)
    assert len(traces) > 10
    for trace in traces:
        depth = 0
        for step in trace.steps:
            depth += 1
            assert depth <= 3
            depth = step.decision if isinstance(step.decision, int) else depth
    assert sample(Paths(max_depth=2), tree, dag) == []


def test_without_a_right_answer_there_are_none() -> None:
    dag, tree = graph(ends=())
    assert sample(Paths(), tree, dag) == []


def test_the_same_stream_gives_the_same_traces() -> None:
    dag, tree = graph()
    assert sample(Paths(), tree, dag, 5) == sample(Paths(), tree, dag, 5)
    assert sample(Paths(), tree, dag, 5) != sample(Paths(), tree, dag, 6)


@pytest.mark.parametrize("seed", range(4))
def test_the_automaton_takes_every_trace(bound: BoundProtocol, tokenizer: object, seed: int) -> None:
    dag, tree = graph()
    automaton = Automaton(bound, Policy(max_steps=50, max_backtracks=50))
    for trace in sample(Paths(per_question=10), tree, dag, seed):
        text = f"<|reasoning_start|>{render(trace).reasoning}<|reasoning_end|>"
        state = automaton.initial
        for token_id in tokenizer.encode(text, add_special_tokens=False):  # type: ignore[attr-defined]
            state = automaton.advance(state, token_id)
