"""Against taught searches, whose verdicts are right: the same verdict at every step, and every fault is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from steiner.reasoning.steps import Backtrack, Decision, End, Proceed, Section, Step
from steiner.reasoning.tasks import TASKS
from steiner.reasoning.tasks.base import NO_MOVE_LEFT, NOT_FOUND
from steiner.reasoning.tasks.knights import KINDS, PEOPLE
from steiner.reasoning.tasks.routes import PLACES
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import Judgement, find_verifier
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import Dag, build_dag
from steiner.training.traces.walk import TaughtTrace, sample_trace

SIZES = {"countdown": (3, 4), "routes": (3, 5), "knights": (3, 4, 5)}
MANY_STEPS = 2_000
LONGEST = 150


@dataclass(frozen=True)
class Search:
    """A taught search, as the server would hold it."""

    family: str
    prompt: str
    dag: Dag
    taught: TaughtTrace
    steps: tuple[Step, ...]

    def judge(self, index: int, next_step: str | None = None) -> Judgement | None:
        """The verdict on a step, or on another next step in its place, given the steps before it."""
        step = self.steps[index]
        text = step.text_of("next_step") if next_step is None else next_step
        opened = Step(id=step.id, depth=step.depth, parent=step.parent, sections=sections(text))
        trace = Trace(protocol="steiner", steps=self.steps[:index])
        return find_verifier(self.family).verify(self.prompt, trace, opened)

    def __repr__(self) -> str:
        return f"<{self.prompt}>"


def sections(next_step: str) -> tuple[Section, ...]:
    return (Section(role="next_step", name="next_step", text=next_step, num_tokens=1),)


def placed(taught: TaughtTrace) -> Iterator[Step]:
    path = [0]
    for step_id, told in enumerate(taught.steps, start=1):
        decision: Decision = Proceed()
        if isinstance(told.decision, int):
            decision = Backtrack(to_depth=told.decision)
        elif told.decision == "end":
            decision = End()
        yield Step(
            id=step_id,
            depth=len(path),
            parent=path[-1],
            sections=sections(told.sections.next_step),
            verdict=told.verdict,
            decision=decision,
        )
        path.append(step_id)
        if isinstance(told.decision, int):
            del path[told.decision + 1 :]


def search(name: str, seed: int, remembers: bool = True) -> Search:
    family, rng = FAMILIES[name], random.Random(f"{name}/{seed}")
    sizes = SIZES.get(name, (3,))
    problem: Any = family.generate(rng, sizes[seed % len(sizes)], solvable=seed % 4 != 0)
    dag = build_dag(family, problem)
    taught = sample_trace(family, problem, dag, rng, remembers)
    return Search(name, family.prompt(problem), dag, taught, tuple(placed(taught)))


@pytest.fixture(scope="module", params=list(FAMILIES))
def searches(request: pytest.FixtureRequest) -> list[Search]:
    """Short enough ones of a family, thousands of steps in all."""
    found: list[Search] = []
    seed = 0
    while sum(len(one.steps) for one in found) < MANY_STEPS:
        one = search(request.param, seed)
        if len(one.steps) <= LONGEST:
            found.append(one)
        seed += 1
    return found


def test_every_family_has_its_rules_and_its_verifier() -> None:
    assert set(FAMILIES) == set(TASKS)
    for name, family in FAMILIES.items():
        assert isinstance(family, type(TASKS[name]))
        assert find_verifier(name).name == name


def test_the_taught_verdict_at_every_step(searches: list[Search]) -> None:
    verdicts = set()
    for one in searches:
        for index, step in enumerate(one.steps):
            judgement = one.judge(index)
            assert judgement is not None, (one, index)
            assert judgement.verdict == step.verdict, (one, index, judgement)
            verdicts.add(judgement.verdict)
    assert verdicts == {"verified", "refuted"}


def faults(one: Search, index: int, rng: random.Random) -> Iterator[str]:
    """Next steps that cannot be right there: a wrong result, a number or place that is not at hand, half a move."""
    text = one.steps[index].text_of("next_step")
    if one.family == "countdown":
        yield "199 199 * = 199"
        if text != NO_MOVE_LEFT:
            move, result = text.split(" = ")
            yield f"{move} = {rng.choice([number for number in range(200) if number != int(result)])}"
            yield move
    if one.family == "routes":
        yield "Atlantis"
        yield next(place for place in PLACES if f"> {place}" not in one.prompt)
        yield f"{PLACES[0]} {PLACES[1]}"
    if one.family == "knights":
        people = FAMILIES["knights"].parse(one.prompt).people
        yield f"{rng.choice([person for person in PEOPLE if person not in people])} knight"
        yield rng.choice(KINDS)
        yield rng.choice(people)
        if text != NO_MOVE_LEFT:
            person, kind = text.split()
            yield f"{rng.choice([other for other in people if other != person])} {kind}"
            yield f"{kind} {person}"


def test_every_fault_is_refuted(searches: list[Search]) -> None:
    rng = random.Random(1)
    for one in searches:
        for index in range(len(one.steps)):
            wrong = list(faults(one, index, rng))
            assert wrong, "a new family needs faults of its own"
            for text in wrong:
                judgement = one.judge(index, text)
                assert judgement is not None, (one, text)
                assert judgement.verdict == "refuted", (one, text)


def test_giving_up_is_judged_by_whether_a_solution_exists(searches: list[Search]) -> None:
    for one in searches:
        for index in range(len(one.steps)):
            judgement = one.judge(index, NO_MOVE_LEFT)
            assert judgement is not None
            assert judgement.verdict == ("refuted" if one.dag.nodes[0].is_alive else "verified")


def test_answers_are_judged_as_taught(searches: list[Search]) -> None:
    for one in searches:
        check = find_verifier(one.family).check_answer
        assert check(one.prompt, one.taught.answer) is True
        assert check(one.prompt, NOT_FOUND) is (not one.dag.nodes[0].is_alive)
        assert check(one.prompt, f"{one.taught.answer} 7") is False


def test_nothing_below_an_illegal_step_is_judged(searches: list[Search]) -> None:
    for one in searches:
        first = one.steps[0].model_copy(update={"sections": sections("nowhere to go")})
        below = [step for step in one.steps[1:] if step.parent == first.id]
        verifier = find_verifier(one.family)
        for step in below:
            trace = Trace(protocol="steiner", steps=(first, *one.steps[1 : step.id - 1]))
            assert verifier.verify(one.prompt, trace, step) is None


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_search_that_does_not_remember_is_refuted_only_where_it_repeats_itself_in_vain(name: str) -> None:
    """What a folded context no longer shows, the verifier still knows; it never refutes a live state."""
    num_repeats = 0
    for seed in range(120):
        one = search(name, seed, remembers=False)
        for index, step in enumerate(one.steps[:LONGEST]):
            judgement = one.judge(index)
            assert judgement is not None
            if judgement.verdict != step.verdict:
                assert judgement.verdict == "refuted"
                assert not one.dag.nodes[one.taught.steps[index].node].is_alive
                num_repeats += 1
    # Who is assumed next is settled, so that no two ways lead to one state of knights and knaves.
    assert bool(num_repeats) == (name != "knights")
