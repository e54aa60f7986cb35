"""The page on families says what the code has, and its example is a family."""

import random
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from steiner.reasoning.steps import Section, Step
from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.task import TaskVerifier
from steiner.training.problems import FAMILIES, MalformedProblemError
from steiner.training.problems.base import Family
from steiner.training.problems.dag import build_dag
from steiner.training.traces.walk import sample_trace

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs/families.md").read_text()


@pytest.fixture(scope="module")
def coins() -> Any:
    said: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(block, said)
    return said["Coins"]()


def test_every_family_is_listed_with_a_problem_a_move_and_its_sizes() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| `([^`]+)` \| `([^`]+)` \| .* (\d) to (\d) \|$", PAGE, re.MULTILINE
    )
    assert [name for name, *_ in rows] == [*FAMILIES]
    for name, prompt, move, smallest, largest in rows:
        family = FAMILIES[name]
        problem = family.parse(prompt)
        assert family.read_move(problem, family.root(problem), move) is not None
        assert family.sizes == range(int(smallest), int(largest) + 1)


def test_the_example_has_everything_that_a_family_has(coins: Any) -> None:
    asked = {name for name in dir(Family) if not name.startswith("_")} | set(Family.__annotations__)
    assert not [name for name in asked if not hasattr(coins, name)]


def test_the_example_can_be_searched_taught_and_judged(coins: Any) -> None:
    verifier = TaskVerifier(coins)
    verdicts = set()
    for seed in range(40):
        rng = random.Random(seed)
        solvable = seed % 4 != 0
        problem = coins.generate(rng, 3, solvable)
        assert coins.parse(coins.prompt(problem)) == coins.from_json(coins.to_json(problem)) == problem
        dag = build_dag(coins, problem)
        trace = sample_trace(coins, problem, dag, rng)
        assert dag.nodes[0].is_alive == solvable
        assert verifier.check_answer(coins.prompt(problem), trace.answer) is True
        assert (trace.answer == NOT_FOUND) != solvable
        first = trace.steps[0]
        section = Section(role="next_step", name="next_step", text=first.sections.next_step, num_tokens=1)
        judged = verifier.verify(
            coins.prompt(problem),
            Trace(protocol="steiner", steps=()),
            Step(id=1, depth=1, parent=0, sections=(section,)),
        )
        assert judged is not None
        assert judged.verdict == first.verdict
        verdicts |= {step.verdict for step in trace.steps}
        assert coins.revise(problem, coins.draw_revision(problem, rng)) != problem
        spoken = " ".join(
            " ".join((s.understanding, s.next_step, s.verification, s.summary))
            for s in [
                *(step.sections for step in trace.steps),
                *(s for _, s in islice(coins.drills(problem, rng), 4)),
            ]
        )
        assert {word for word in spoken.split() if not word.isdecimal()} <= {
            *coins.words,
            "none",
            "not",
            "found",
        }
    assert verdicts == {"verified", "refuted"}


def test_the_example_refuses_what_it_does_not_know(coins: Any) -> None:
    with pytest.raises(MalformedProblemError, match="Write it as 'pay 24 with 10 7'"):
        coins.parse("pay me")
    with pytest.raises(MalformedProblemError, match="now pay 31"):
        coins.revise(coins.parse("pay 24 with 10 7"), "now pay 24")
    problem = coins.parse("pay 24 with 10 7")
    assert coins.check(problem, "7 10 7")
    assert not coins.check(problem, "7 7 7")
    assert coins.why_illegal(problem, 4, "10") == "10 is more than the 4 that is left to pay"
    assert coins.why_illegal(problem, 4, "3") == "there is no coin of 3"
    assert coins.why_illegal(problem, 4, "a coin") is None


def test_every_path_that_it_names_exists() -> None:
    paths = re.findall(r"`((?:reasoning|training|tests|docs)/[\w/.]+)`", PAGE)
    assert len(paths) > 10
    for path in paths:
        assert "coins" in path or (ROOT / path).exists(), path
