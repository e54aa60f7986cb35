"""Steps of the task families by hand: legal or not, dead or not, seen or not."""

import pytest

from steiner.reasoning.protocol import Verdict
from steiner.reasoning.steps import Backtrack, Proceed, Section, Step
from steiner.reasoning.tasks import TASKS
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import Judgement, find_verifier
from steiner.reasoning.verifiers.task import is_solvable

COUNTDOWN = "make 22 from 15 4 11"
ROADS = "roads Rome > Oslo, Rome > Bern, Oslo > Lima, Bern > Lima, Lima > Doha, Rome > Riga, Riga > Kyiv"
ROUTES = f"{ROADS} from Rome to Kyiv"
KNIGHTS = "knights Ann Bob Cora : Ann says knave Bob ; Bob says both Ann Cora ; Cora says same Ann Bob"
PARADOX = "knights Ann Bob : Ann says knave Bob ; Bob says knight Ann"
LOST = f"{ROADS} from Rome to Paris"

Told = tuple[str, int | None, Verdict]


def step(step_id: int, next_step: str, parent: int | None, verdict: Verdict | None = None) -> Step:
    section = Section(role="next_step", name="next_step", text=next_step, num_tokens=1)
    decision = Backtrack(to_depth=0) if verdict == "refuted" else Proceed() if verdict else None
    return Step(id=step_id, depth=1, parent=parent, sections=(section,), verdict=verdict, decision=decision)


def judge(name: str, problem: str, next_step: str, *told: Told, parent: int | None = 0) -> Judgement | None:
    """The step behind those that are told, each with the id of its parent and its verdict."""
    steps = tuple(step(i, text, above, verdict) for i, (text, above, verdict) in enumerate(told, start=1))
    trace = Trace(protocol="steiner", steps=steps)
    return find_verifier(name).verify(problem, trace, step(len(told) + 1, next_step, parent))


def verdict(judgement: Judgement | None) -> Verdict | None:
    return None if judgement is None else judgement.verdict


@pytest.mark.parametrize(
    ("next_step", "reason"),
    [
        ("15 4 - = 12", "15 - 4 = 11, not 12"),
        ("15 3 - = 12", "3 is not among the numbers left, 15 11 4"),
        ("15 15 - = 0", "15 is not once more among the numbers left, 15 11 4"),
        ("4 15 - = 11", "of 4 and 15 the larger number comes first"),
        ("15 4 / = 3", "15 / 4 is not a whole number"),
        ("15 11 + = 0", "15 + 11 = 26, not 0"),
        ("15 4 =", "'15 4 =' is not a move, as '10 7 * = 70' is"),
        ("15 11 4 + = 30", "'15 11 4 + = 30' is not a move, as '10 7 * = 70' is"),
        ("15 4 + = 19", "a dead end: the goal cannot be reached from there"),
    ],
)
def test_countdown_says_what_is_wrong_with_a_move(next_step: str, reason: str) -> None:
    assert judge("countdown", COUNTDOWN, next_step) == Judgement("refuted", reason)


def test_countdown_keeps_to_the_numbers_it_knows() -> None:
    judgement = judge("countdown", "make 22 from 100 4 2", "100 4 * = 400")
    assert judgement == Judgement("refuted", "100 * 4 = 400 is above 199")
    assert judge("countdown", "make 22 from 100 0 2", "100 0 / = 0") == Judgement(
        "refuted", "100 / 0 is not a whole number"
    )


@pytest.mark.parametrize("next_step", ["", "15 - 4 = 11", "15 - 4 = 12", "subtract 4 from 15", "x" * 10_000])
def test_countdown_leaves_other_notations_to_the_model(next_step: str) -> None:
    assert judge("countdown", COUNTDOWN, next_step) is None


def test_countdown_follows_the_path_to_the_goal() -> None:
    assert verdict(judge("countdown", COUNTDOWN, "15 4 - = 11")) == "verified"
    path: tuple[Told, ...] = (("15 4 - = 11", 0, "verified"),)
    assert judge("countdown", COUNTDOWN, "11 11 + = 22", *path, parent=1) == Judgement(
        "verified", "the goal is reached"
    )
    assert verdict(judge("countdown", COUNTDOWN, "11 11 - = 0", *path, parent=1)) == "refuted"
    assert verdict(judge("countdown", COUNTDOWN, "11 11 + = 22", *path, parent=0)) == "refuted"


def test_routes_says_what_is_wrong_with_a_move() -> None:
    assert verdict(judge("routes", ROUTES, "Oslo")) == "verified"
    assert judge("routes", ROUTES, "Lima") == Judgement("refuted", "no road leads from Rome to Lima")
    assert judge("routes", ROUTES, "Atlantis") == Judgement("refuted", "no road leads from Rome to Atlantis")
    assert judge("routes", ROUTES, "Oslo Lima") == Judgement(
        "refuted", "a step goes along one road, to one place"
    )
    assert judge("routes", ROUTES, "I take the road to Oslo") is None


@pytest.mark.parametrize(
    ("next_step", "reason"),
    [
        ("Bob knight", "the next to assume is Ann, not Bob"),
        ("Eva knight", "Eva is not among Ann, Bob, Cora"),
        ("Ann", "a step assumes one person a knight or a knave, as 'Ann knight' does"),
        ("knight Ann", "a step assumes one person a knight or a knave, as 'Ann knight' does"),
        ("Ann knight Bob knave", "a step assumes one person a knight or a knave, as 'Ann knight' does"),
    ],
)
def test_knights_says_what_is_wrong_with_a_move(next_step: str, reason: str) -> None:
    assert judge("knights", KNIGHTS, next_step) == Judgement("refuted", reason)


def test_knights_follows_the_path_to_a_contradiction_and_to_the_goal() -> None:
    assumed: tuple[Told, ...] = (("Ann knight", 0, "verified"), ("Bob knave", 1, "verified"))
    assert judge("knights", KNIGHTS, "Ann knight") == Judgement("verified", "a legal move, and no dead end")
    assert judge("knights", KNIGHTS, "Ann knave", *assumed, parent=2) == Judgement(
        "refuted", "Ann was assumed a knight before"
    )
    assert judge("knights", KNIGHTS, "Bob knight", *assumed[:1], parent=1) == Judgement(
        "refuted", "a dead end: the goal cannot be reached from there"
    )
    assert judge("knights", KNIGHTS, "Cora knave", *assumed, parent=2) == Judgement(
        "verified", "the goal is reached"
    )
    assert verdict(judge("knights", KNIGHTS, "Cora knight", *assumed, parent=2)) == "refuted"


def test_knights_assumes_nothing_behind_a_contradiction() -> None:
    told: tuple[Told, ...] = (("Ann knight", 0, "verified"), ("Bob knight", 1, "verified"))
    assert judge("knights", KNIGHTS, "Cora knight", *told, parent=2) == Judgement(
        "refuted", "a statement is contradicted before that"
    )


@pytest.mark.parametrize("next_step", ["", "Ann is a knight", "suppose Ann knight", "Ann knight, Bob knave"])
def test_knights_leaves_other_notations_to_the_model(next_step: str) -> None:
    assert judge("knights", KNIGHTS, next_step) is None


@pytest.mark.parametrize("parent", [1, 2, 7, None])
def test_a_path_that_cannot_be_replayed_is_left_to_the_model(parent: int | None) -> None:
    """Below an illegal step, below that one's child, below none that is known."""
    told: tuple[Told, ...] = (("Lima", 0, "verified"), ("Doha", 1, "verified"))
    assert judge("routes", ROUTES, "Doha", *told, parent=parent) is None


DOWN_OSLO: tuple[Told, ...] = (
    ("Oslo", 0, "verified"),
    ("Lima", 1, "verified"),
    ("Doha", 2, "refuted"),
)


def test_what_was_tried_in_vain_is_refuted_elsewhere_too() -> None:
    """Lima led nowhere by way of Oslo, and so it does by way of Bern."""
    told: tuple[Told, ...] = (*DOWN_OSLO, ("Bern", 0, "verified"))
    assert judge("routes", ROUTES, "Lima", *told, parent=4) == Judgement(
        "refuted", "every move from there was tried before, in vain"
    )


def test_the_models_own_refutation_proves_nothing() -> None:
    """Lima was refuted before its road to Doha was tried; it is no dead end at sight, and was seen."""
    told: tuple[Told, ...] = (("Oslo", 0, "verified"), ("Lima", 1, "refuted"), ("Bern", 0, "verified"))
    assert judge("routes", ROUTES, "Lima", *told, parent=3) is None


def test_a_circle_is_left_to_the_model() -> None:
    there_and_back = "roads Rome > Oslo, Oslo > Rome, Oslo > Bern from Rome to Bern"
    assert judge("routes", there_and_back, "Rome", ("Oslo", 0, "verified"), parent=1) is None


def test_giving_up_is_right_where_nothing_solves_the_problem() -> None:
    assert judge("routes", LOST, "none") == Judgement("verified", "there is no solution")
    assert judge("routes", ROUTES, "none") == Judgement("refuted", "there is a solution")
    assert judge("knights", PARADOX, "none") == Judgement("verified", "there is no solution")
    assert judge("knights", KNIGHTS, "none") == Judgement("refuted", "there is a solution")
    assert verdict(judge("countdown", "make 99 from 1 2 3", "none")) == "verified"
    told: Told = ("15 4 + = 19", 0, "refuted")
    assert verdict(judge("countdown", COUNTDOWN, "none", *[told] * 3)) == "refuted"


def test_a_search_that_tried_everything_needs_no_other_proof() -> None:
    told: tuple[Told, ...] = (
        *DOWN_OSLO,
        ("Bern", 0, "verified"),
        ("Riga", 0, "verified"),
        ("Kyiv", 5, "refuted"),
    )
    told = (*told, ("Lima", 4, "refuted"))
    assert judge("routes", LOST, "none", *told) == Judgement("verified", "every move was tried, in vain")


def test_a_search_too_large_to_repeat_is_left_to_the_model() -> None:
    large = "make 99 from 20 16 14 14 14 12"
    rules = TASKS["countdown"]
    assert is_solvable(rules, rules.parse(large)) is None
    assert judge("countdown", large, "none") is None
    assert find_verifier("countdown").check_answer(large, "not found") is None


@pytest.mark.parametrize(
    ("name", "problem", "answer", "is_right"),
    [
        ("countdown", COUNTDOWN, "15 - 4 + 11", True),
        ("countdown", COUNTDOWN, "15 + 11", False),
        ("countdown", COUNTDOWN, "not found", False),
        ("countdown", "make 99 from 1 2 3", "not found", True),
        ("countdown", f"{COUNTDOWN}\n", "15 - 4 + 11\n", True),
        ("routes", ROUTES, "Rome Riga Kyiv", True),
        ("routes", ROUTES, "Rome Kyiv", False),
        ("routes", LOST, " not found ", True),
        ("routes", COUNTDOWN, "15 - 4 + 11", None),
        ("knights", KNIGHTS, "Ann knight Bob knave Cora knave", True),
        ("knights", KNIGHTS, "Ann knight Bob knave Cora knight", False),
        ("knights", KNIGHTS, "not found", False),
        ("knights", PARADOX, "not found", True),
        ("auto", KNIGHTS, "Cora knave Bob knave Ann knight", True),
        ("auto", f"{PARADOX}\nnow Bob says knave Ann", "Ann knave Bob knight", True),
    ],
)
def test_answers(name: str, problem: str, answer: str, is_right: bool | None) -> None:
    assert find_verifier(name).check_answer(problem, answer) is is_right


@pytest.mark.parametrize("name", list(TASKS))
def test_other_problems_are_left_alone(name: str) -> None:
    assert judge(name, "What is the time?", "15 4 - = 12") is None
    assert judge(name, "\ud800" * 10, "none") is None
