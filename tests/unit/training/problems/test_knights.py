"""Knights and knaves: claims by hand, and checker, search and generator against trying everything."""

import random
from collections.abc import Callable
from itertools import pairwise, permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.tasks.knights import (
    CLAIMS_ABOUT_ONE,
    CLAIMS_ABOUT_TWO,
    KINDS,
    PEOPLE,
    Assumption,
    KnightsProblem,
    Statement,
    truth_of,
)
from steiner.training.problems import MalformedProblemError
from steiner.training.problems.dag import build_dag
from steiner.training.problems.knights import Knights, solutions
from steiner.training.traces.walk import sample_trace

FAMILY = Knights()
TOLD = "knights Ann Bob Cora : Ann says knave Bob ; Bob says both Ann Cora ; Cora says same Ann Bob"
PROBLEM = FAMILY.parse(TOLD)
# In other words than the rules have them.
CLAIMS: dict[str, Callable[..., bool]] = {
    "knight": lambda a: a,
    "knave": lambda a: not a,
    "both": lambda a, b: a and b,
    "either": lambda a, b: a or b,
    "neither": lambda a, b: not a and not b,
    "same": lambda a, b: a == b,
    "different": lambda a, b: a != b,
}
SIZES = st.integers(2, 6)


@st.composite
def problems(draw: Any) -> KnightsProblem:
    """Any statements at all: solvable or not, about oneself or not."""
    people = draw(st.permutations(PEOPLE))[: draw(SIZES)]

    def statement(speaker: str) -> Statement:
        claim = draw(st.sampled_from(CLAIMS_ABOUT_ONE + CLAIMS_ABOUT_TWO))
        about = draw(st.permutations(people))[: 1 if claim in CLAIMS_ABOUT_ONE else 2]
        return Statement(speaker, claim, tuple(about))

    return KnightsProblem(tuple(map(statement, people)))


def by_trying_everything(problem: KnightsProblem) -> set[tuple[str, ...]]:
    found = set()
    for honest in product((True, False), repeat=len(problem.people)):
        is_knight = dict(zip(problem.people, honest, strict=True))
        if all(
            CLAIMS[said.claim](*(is_knight[person] for person in said.people)) == is_knight[said.speaker]
            for said in problem.statements
        ):
            found.add(tuple("knight" if knight else "knave" for knight in honest))
    return found


def written(problem: KnightsProblem, kinds: tuple[str, ...]) -> str:
    return " ".join(f"{person} {kind}" for person, kind in zip(problem.people, kinds, strict=True))


def test_the_answer_is_accepted_in_any_order() -> None:
    assert by_trying_everything(PROBLEM) == {("knight", "knave", "knave")}
    for pairs in permutations(("Ann knight", "Bob knave", "Cora knave")):
        assert FAMILY.check(PROBLEM, " ".join(pairs))


@pytest.mark.parametrize(
    "answer",
    [
        "Ann knight",
        "Ann knight Bob knave",
        "Ann knight Bob knave Cora knight",
        "Ann knave Bob knight Cora knave",
        "Ann knight Bob knave Cora knave Dan knave",
        "Ann knight Bob knave Cora knave Cora knave",
        "Ann knight Bob knave Cora knave Ann",
        "knight Ann knave Bob knave Cora",
        "Ann Bob Cora",
        "knight knave knave",
        "Ann knight, Bob knave, Cora knave",
        "Ann is a knight, Bob and Cora are knaves",
        "ann knight bob knave cora knave",
        "Ann Knight Bob Knave Cora Knave",
        "Ann knight Bob knave Cor\u0430 knave",
        "Ann knight Bob knave Cora open",
    ],
)
def test_anything_else_is_refused(answer: str) -> None:
    assert not FAMILY.check(PROBLEM, answer)


@given(problems())
def test_the_checker_accepts_what_contradicts_nothing_and_no_more(problem: KnightsProblem) -> None:
    right = by_trying_everything(problem)
    assert set(solutions(problem)) == right
    for kinds in product(KINDS, repeat=len(problem.people)):
        assert FAMILY.check(problem, written(problem, kinds)) == (kinds in right)


@given(problems())
def test_the_search_space_is_cut_where_a_statement_is_surely_contradicted(problem: KnightsProblem) -> None:
    right = by_trying_everything(problem)
    dag = build_dag(FAMILY, problem)
    assert {node.state for node in dag.nodes if node.is_goal} == right
    for node in dag.nodes:
        state: Any = node.state
        begun = {kinds for kinds in right if kinds[: len(state)] == state}
        assert node.is_alive == bool(begun)
        assert node.num_incoming == (node.depth > 0)
        cut = FAMILY.is_refutable(problem, state)
        assert len(node.successors) == (0 if cut or node.is_goal else 2)
        if cut:
            assert not begun


@given(problems(), st.lists(st.sampled_from(["knight", "knave", None]), min_size=6, max_size=6))
def test_a_claim_is_true_or_false_only_where_nobody_open_can_change_it(
    problem: KnightsProblem, known: list[Any]
) -> None:
    kinds = {person: kind for person, kind in zip(problem.people, known, strict=False) if kind}
    for said in problem.statements:
        choices = [[kinds[person]] if person in kinds else KINDS for person in said.people]
        possible = {CLAIMS[said.claim](*(kind == "knight" for kind in about)) for about in product(*choices)}
        assert truth_of(said, kinds) == (possible.pop() if len(possible) == 1 else None)


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("knights Ann : Ann says knave Ann", "Write it as"),
        ("knights Ann Bob : Ann says knave Bob", "Write it as"),
        ("knights Ann Bob : Ann says knave Bob ; Ann says knight Bob", "Write it as"),
        ("knights Ann Ann : Ann says knave Bob ; Bob says knave Ann", "Write it as"),
        ("knights Ann Bob : Ann says knave Bob, Bob says knave Ann", "Write it as"),
        ("knights Ann Bob : Ann says both Bob ; Bob says knave Ann", "both, either"),
        ("knights Ann Bob : Ann says knave Ann Bob ; Bob says knave Ann", "both, either"),
        ("knights Ann Bob : Ann says liar Bob ; Bob says knave Ann", "knight, knave"),
        ("knights Ann Bob : Ann says both Bob Bob ; Bob says knave Ann", "Write it as"),
        ("knights Ann Bob : Ann says  knave Bob ; Bob says knave Ann", "Write it as"),
        ("knights Ann Zoe : Ann says knave Zoe ; Zoe says knave Ann", "['Zoe']"),
        ("knights Ann Bob : Ann says knave Eva ; Bob says knave Ann", "['Eva'], who say nothing"),
    ],
)
def test_a_malformed_problem_is_named(prompt: str, named: str) -> None:
    with pytest.raises(MalformedProblemError) as caught:
        FAMILY.parse(prompt)
    assert named in str(caught.value)


def test_statements_may_be_told_in_another_order_than_people_are_named() -> None:
    told = "knights Ann Bob Cora : Cora says same Ann Bob ; Ann says knave Bob ; Bob says both Ann Cora"
    assert FAMILY.parse(told) == PROBLEM


@given(problems(), st.randoms())
def test_other_names_and_another_order_are_the_same_problem(
    problem: KnightsProblem, rng: random.Random
) -> None:
    names = dict(zip(problem.people, rng.sample(PEOPLE, len(problem.people)), strict=True))
    renamed = [
        Statement(names[speaker], claim, tuple(rng.sample([names[p] for p in about], len(about))))
        for speaker, claim, about in problem.statements
    ]
    retold = KnightsProblem(tuple(rng.sample(renamed, len(renamed))))
    assert FAMILY.canonical(retold) == FAMILY.canonical(problem)
    assert len(solutions(retold)) == len(solutions(problem))


def test_another_claim_is_another_problem() -> None:
    news = [
        "Ann says knight Bob",
        *(f"Cora says {claim} Ann Bob" for claim in CLAIMS_ABOUT_TWO if claim != "same"),
    ]
    others = {FAMILY.canonical(FAMILY.revise(PROBLEM, f"now {said}")) for said in news}
    assert len(others | {FAMILY.canonical(PROBLEM)}) == 6


@given(st.integers(0, 2**32), SIZES, st.booleans())
def test_the_statements_tell_everything_or_contradict_each_other(
    seed: int, size: int, solvable: bool
) -> None:
    problem = FAMILY.generate(random.Random(seed), size, solvable)
    assert len(problem.people) == size
    assert len(by_trying_everything(problem)) == solvable


@given(st.integers(0, 2**32), SIZES)
def test_where_several_answers_are_right_any_is_accepted(seed: int, size: int) -> None:
    """Everybody calls everybody of one kind: all knights, or all knaves in turn."""
    people = random.Random(seed).sample(PEOPLE, size)
    following = dict(zip(people, [*people[1:], people[0]], strict=True))
    problem = KnightsProblem(tuple(Statement(one, "knight", (following[one],)) for one in people))
    answers = {FAMILY.direct_answer(problem, random.Random(n)) for n in range(20)}
    assert answers == {written(problem, ("knight",) * size), written(problem, ("knave",) * size)}
    assert all(FAMILY.check(problem, answer) for answer in answers)


@pytest.mark.parametrize(
    ("state", "tried", "said"),
    [
        ((), (), "next Ann"),
        ((), ("knave",), "next Ann tried knave"),
        ((), ("knave", "knight"), "next Ann tried knave knight"),
        (("knight",), (), "with Ann knight next Bob open Ann"),
        (("knight",), ("knave",), "with Ann knight next Bob tried knave open Ann"),
        (("knave", "knave"), (), "with Ann knave Bob knave next Cora"),
        (("knight", "knave"), ("knight",), "with Ann knight Bob knave next Cora tried knight open Bob"),
    ],
)
def test_a_step_says_what_is_assumed_tried_and_open(
    state: tuple[Any, ...], tried: tuple[Any, ...], said: str
) -> None:
    moves = [Assumption(PROBLEM.people[len(state)], kind) for kind in tried]
    assert FAMILY.understanding(PROBLEM, state, moves) == said


def test_a_whole_search_by_hand() -> None:
    """The search that takes everybody for a knave first."""

    class KnavesFirst(Knights):
        def order(self, problem: Any, state: Any, moves: Any, rng: Any) -> Any:
            return list(reversed(moves))

    family = KnavesFirst()
    trace = sample_trace(family, PROBLEM, build_dag(family, PROBLEM), random.Random(0))
    assert [
        (s.sections.understanding, s.sections.next_step, s.sections.verification, s.sections.summary)
        for s in trace.steps
    ] == [
        ("next Ann", "Ann knave", "Ann says knave Bob unknown open Ann", "Ann knave"),
        (
            "with Ann knave next Bob open Ann",
            "Bob knave",
            "Ann says knave Bob knave true Ann knave clash",
            "with Ann knave next Bob tried knave open Ann",
        ),
        (
            "with Ann knave next Bob tried knave open Ann",
            "Bob knight",
            "Ann says knave Bob knight false Ann knave fits "
            "Bob says both Ann knave Cora unknown false Bob knight clash",
            "with Ann knave next Bob tried knave knight all next Ann tried knave",
        ),
        ("next Ann tried knave", "Ann knight", "Ann says knave Bob unknown open Ann", "Ann knight"),
        (
            "with Ann knight next Bob open Ann",
            "Bob knave",
            "Ann says knave Bob knave true Ann knight fits Bob says both Ann knight Cora unknown open Bob",
            "Bob knave",
        ),
        (
            "with Ann knight Bob knave next Cora open Bob",
            "Cora knave",
            "Bob says both Ann knight Cora knave false Bob knave fits "
            "Cora says same Ann knight Bob knave false Cora knave fits goal",
            "Cora knave",
        ),
    ]
    assert [step.decision for step in trace.steps] == ["proceed", 1, 0, "proceed", "proceed", "end"]
    assert trace.conclusions() == ["Ann knight", "Bob knave", "Cora knave"]
    assert trace.answer == "Ann knight Bob knave Cora knave"


def test_places_are_said_to_be_exhausted_before_they_are_left() -> None:
    """Found in real searches: behind each `all` stands the place that is returned to, as the next step restates it."""
    num_left = 0
    for seed in range(40):
        rng = random.Random(seed)
        problem = FAMILY.generate(rng, 5, solvable=seed % 4 != 0)
        trace = sample_trace(FAMILY, problem, build_dag(FAMILY, problem), rng)
        for step, following in pairwise(trace.steps):
            if step.verdict == "refuted":
                *left, returned_to = step.sections.summary.split(" all ")
                assert all(set(place.split()[-2:]) == set(KINDS) for place in left)
                assert following.sections.understanding == returned_to
                assumed = returned_to.split("next")[0].split()[1:]
                assert len(assumed) == 2 * step.decision
                num_left += len(left)
    assert num_left > 20


def test_a_verification_ends_in_what_its_verdict_says() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        problem = FAMILY.generate(rng, 4)
        trace = sample_trace(FAMILY, problem, build_dag(FAMILY, problem), rng)
        for step in trace.steps:
            words = step.sections.verification.split()
            assert (words[-1] == "clash") == (step.verdict == "refuted")
            assert words.count("clash") == (step.verdict == "refuted")
            assert (words[-1] == "goal") == (step.decision == "end")


def test_drills_refute_about_half_and_say_why() -> None:
    num_refuted = 0
    rng = random.Random(3)
    for _ in range(50):
        drills = FAMILY.drills(FAMILY.generate(rng, 5), rng)
        for _ in range(6):
            verdict, sections = next(drills)
            assert (verdict == "refuted") == sections.verification.endswith("clash")
            person, _ = sections.next_step.split()
            assert f"next {person}" in sections.understanding
            num_refuted += verdict == "refuted"
    assert 100 < num_refuted < 200


def test_a_revision_replaces_one_claim() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        problem = FAMILY.generate(rng, 4, solvable=seed % 3 != 0)
        revised = FAMILY.revise(problem, FAMILY.draw_revision(problem, rng))
        changed = [
            new
            for old, new in zip(problem.statements, revised.statements, strict=True)
            if old != new and old.speaker == new.speaker
        ]
        assert len(changed) == 1
        assert revised.people == problem.people
        assert len(solutions(revised)) <= 1


def test_no_problem_takes_more_than_a_training_sequence() -> None:
    """Words, and 15 markers a step: what people with a solution take at the size of the comparison."""
    lengths = []
    for seed in range(200):
        rng = random.Random(seed)
        problem = FAMILY.generate(rng, 5)
        trace = sample_trace(FAMILY, problem, build_dag(FAMILY, problem), rng)
        texts = [
            f"{s.understanding} {s.next_step} {s.verification} {s.summary}"
            for s in (step.sections for step in trace.steps)
        ]
        lengths.append(sum(len(text.split()) + 15 for text in texts))
    assert sum(lengths) / len(lengths) < 500
    assert max(lengths) < 1500
