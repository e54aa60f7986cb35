"""What a dialogue asks for: the last problem stated, with everything said since applied to it."""

from typing import Any

import pytest

from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.tasks import TASKS
from steiner.reasoning.tasks.dialogue import problem_of_dialogue

COUNTDOWN = "make 22 from 15 4 11"
KNIGHTS = "knights Ann Bob : Ann says knave Bob ; Bob says neither Ann Bob"
ROUTES = "roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern"


def problem(family: str, *messages: str) -> Any:
    return problem_of_dialogue(TASKS[family], "\n".join(messages))


@pytest.mark.parametrize(
    ("family", "messages", "same_as"),
    [
        ("countdown", (COUNTDOWN,), COUNTDOWN),
        ("countdown", (COUNTDOWN, "now make 37"), "make 37 from 15 4 11"),
        ("countdown", (COUNTDOWN, "now 7 for 11"), "make 22 from 15 4 7"),
        ("countdown", (COUNTDOWN, "now 7 for 11", "now make 9"), "make 9 from 15 4 7"),
        ("countdown", ("make 5 from 4 4 1", "now 2 for 4"), "make 5 from 2 4 1"),
        ("countdown", ("Good morning!", COUNTDOWN), COUNTDOWN),
        ("countdown", (ROUTES, COUNTDOWN, "now make 37"), "make 37 from 15 4 11"),
        ("routes", (ROUTES, "now to Kyiv"), ROUTES.replace("to Bern", "to Kyiv")),
        ("routes", (ROUTES, "also Kyiv > Lima"), ROUTES.replace(" from", ", Kyiv > Lima from")),
        (
            "routes",
            (ROUTES, "also Kyiv > Lima, Lima > Bern", "now to Lima"),
            ROUTES.replace(" from", ", Kyiv > Lima, Lima > Bern from").replace("to Bern", "to Lima"),
        ),
        (
            "knights",
            (COUNTDOWN, KNIGHTS, "now Ann says knight Bob"),
            KNIGHTS.replace("knave Bob", "knight Bob"),
        ),
        (
            "knights",
            (KNIGHTS, "now Bob says same Bob Ann", "now Bob says either Ann Bob"),
            KNIGHTS.replace("neither", "either"),
        ),
    ],
)
def test_later_messages_revise(family: str, messages: tuple[str, ...], same_as: str) -> None:
    assert problem(family, *messages) == TASKS[family].parse(same_as)


@pytest.mark.parametrize(
    ("family", "messages"),
    [
        ("countdown", ()),
        ("countdown", ("now make 37",)),
        ("countdown", (COUNTDOWN, "thank you")),
        ("countdown", (COUNTDOWN, "thank you", "now make 37")),
        ("countdown", (ROUTES,)),
        ("routes", (COUNTDOWN, "now to Bern")),
        ("routes", (ROUTES, "now make 37")),
        ("routes", (KNIGHTS,)),
        ("knights", (ROUTES, "now Ann says knight Bob")),
        ("knights", (KNIGHTS, "now make 37")),
    ],
)
def test_what_is_no_dialogue_of_the_family_is_none(family: str, messages: tuple[str, ...]) -> None:
    assert problem(family, *messages) is None


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("countdown", "now make 22"),
        ("countdown", "now make 200"),
        ("countdown", "now 11 for 11"),
        ("countdown", "now 7 for 8"),
        ("countdown", "now make ٣٧"),
        ("routes", "now to Bern"),
        ("routes", "now to Rome"),
        ("routes", "now to Atlantis"),
        ("routes", "also Rome > Oslo"),
        ("routes", "also Rome > Atlantis"),
        ("routes", "also Rome to Oslo"),
        ("knights", "now Ann says knave Bob"),
        ("knights", "now Ann says both Bob"),
        ("knights", "now Ann says knave Bob Ann"),
        ("knights", "now Eva says knave Bob"),
        ("knights", "Bob says knave Ann"),
        ("knights", "now Bob says knave Ann ; Ann says knight Bob"),
    ],
)
def test_what_changes_nothing_is_refused_with_the_words_that_would(family: str, text: str) -> None:
    stated = TASKS[family].parse({"countdown": COUNTDOWN, "routes": ROUTES, "knights": KNIGHTS}[family])
    with pytest.raises(MalformedProblemError, match=r"Write 'now|this model knows"):
        TASKS[family].revise(stated, text)


def test_nobody_is_talked_about_who_says_nothing() -> None:
    with pytest.raises(MalformedProblemError, match=r"'Ann says knave Eva' is about \['Eva'\]"):
        TASKS["knights"].revise(TASKS["knights"].parse(KNIGHTS), "now Ann says knave Eva")


def test_the_claim_that_is_proposed_is_news() -> None:
    rules = TASKS["knights"]
    for claim in ("knave", "knight"):
        stated = rules.parse(KNIGHTS.replace("knave", claim))
        with pytest.raises(MalformedProblemError) as caught:
            rules.revise(stated, f"now Ann says {claim} Bob")
        assert rules.revise(stated, str(caught.value).split("'")[-2]) != stated
