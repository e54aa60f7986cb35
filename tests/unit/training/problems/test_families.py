"""What every task family promises, over the whole registry: a new family is tested by being in it."""

import json
import random
import re
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.training.problems import FAMILIES, Family, MalformedProblemError
from steiner.training.problems.base import EXHAUSTED, StepContext
from steiner.training.problems.dag import build_dag
from steiner.training.traces.walk import sample_trace

SIZES = (2, 3, 4)
SEEDS = st.integers(0, 2**32)
ADVERSARIAL = (
    "",
    " ",
    "not found",
    "__import__('os').system('true')",
    "(lambda: 1)()",
    "1 / 0",
    "((((",
    "))))",
    "9" * 100_000,
    "(" * 100_000,
    "( " * 190 + "1" + " )" * 190,
    "\x00",
    "\u0661 + \u0662",
    "\U0001d7d9",
    "\u2167",
    "\ud800",
    "1e9",
    "0x10",
    "nan",
    "inf",
)


@pytest.fixture(scope="module", params=list(FAMILIES.values()), ids=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family[Any, Any, Any]:
    chosen: Family[Any, Any, Any] = request.param
    return chosen


def drawn(
    family: Family[Any, Any, Any], seed: int, size: int = 3, solvable: bool = True
) -> tuple[Any, random.Random]:
    rng = random.Random(seed)
    return family.generate(rng, size, solvable), rng


def test_the_registry_knows_each_by_its_name() -> None:
    assert set(FAMILIES) >= {"countdown", "routes", "knights"}
    assert all(family.name == name for name, family in FAMILIES.items())


def test_words_are_written_once_and_without_blanks(family: Family[Any, Any, Any]) -> None:
    assert len(set(family.words)) == len(family.words)
    assert not [word for word in family.words if word.split() != [word]]


@given(seed=SEEDS, size=st.sampled_from(SIZES), solvable=st.booleans())
def test_a_problem_survives_text_and_json(
    family: Family[Any, Any, Any], seed: int, size: int, solvable: bool
) -> None:
    problem, _ = drawn(family, seed, size, solvable)
    assert family.parse(family.prompt(problem)) == problem
    assert family.parse(family.prompt(problem) + "\n") == problem
    restored = family.from_json(json.loads(json.dumps(family.to_json(problem))))
    assert restored == problem
    assert hash(restored) == hash(problem)
    assert family.canonical(restored) == family.canonical(problem)


@given(seed=SEEDS, size=st.sampled_from(SIZES))
def test_generation_repeats_itself(family: Family[Any, Any, Any], seed: int, size: int) -> None:
    assert drawn(family, seed, size)[0] == drawn(family, seed, size)[0]


@given(seed=SEEDS, size=st.sampled_from(SIZES))
def test_its_own_answers_are_accepted(family: Family[Any, Any, Any], seed: int, size: int) -> None:
    problem, rng = drawn(family, seed, size)
    assert family.check(problem, family.direct_answer(problem, rng))
    trace = sample_trace(family, problem, build_dag(family, problem), rng)
    assert family.check(problem, trace.answer)
    assert family.check(problem, f" {trace.answer}\n")


@given(seed=SEEDS, size=st.sampled_from(SIZES))
def test_what_has_no_solution_has_none_in_its_dag(
    family: Family[Any, Any, Any], seed: int, size: int
) -> None:
    problem, rng = drawn(family, seed, size, solvable=False)
    dag = build_dag(family, problem)
    assert not dag.nodes[0].is_alive
    assert not any(node.is_goal for node in dag.nodes)
    assert sample_trace(family, problem, dag, rng).answer == NOT_FOUND
    with pytest.raises(MalformedProblemError):
        family.direct_answer(problem, rng)


@given(seed=SEEDS, size=st.sampled_from(SIZES))
def test_what_has_a_solution_has_it_in_its_dag(family: Family[Any, Any, Any], seed: int, size: int) -> None:
    problem, _ = drawn(family, seed, size)
    assert build_dag(family, problem).nodes[0].is_alive


@pytest.mark.parametrize("answer", ADVERSARIAL, ids=range(len(ADVERSARIAL)))
def test_nonsense_is_no_answer(family: Family[Any, Any, Any], answer: str) -> None:
    problem, _ = drawn(family, 7)
    assert family.check(problem, answer) is False


@given(seed=SEEDS, answer=st.text(st.sampled_from("0123456789+-*/() ,._>Oslo\n\u0663\u00b2"), max_size=60))
def test_the_checker_never_raises(family: Family[Any, Any, Any], seed: int, answer: str) -> None:
    problem, _ = drawn(family, seed)
    assert family.check(problem, answer) in (True, False)


@given(seed=SEEDS, data=st.data())
def test_a_right_answer_with_a_part_missing_or_told_twice_is_refused(
    family: Family[Any, Any, Any], seed: int, data: st.DataObject
) -> None:
    problem, rng = drawn(family, seed)
    words = family.direct_answer(problem, rng).split()
    index = data.draw(st.integers(0, len(words) - 1))
    assert not family.check(problem, " ".join(words[:index] + words[index + 1 :]))
    assert not family.check(problem, " ".join([*words[: index + 1], *words[index:]]))


@pytest.mark.parametrize(
    "prompt", ["", "what is the time?", "make", "roads", "x" * 100_000, "\x00", "\ud800"]
)
def test_other_text_is_no_problem(family: Family[Any, Any, Any], prompt: str) -> None:
    with pytest.raises(MalformedProblemError) as caught:
        family.parse(prompt)
    message = str(caught.value)
    assert len(message) < 400
    # It names the family and shows a problem that would be right.
    assert family.name in message.lower()
    example = re.search(r"Write it as '([^']+)'", message)
    assert example is not None
    assert family.prompt(family.parse(example[1])) == example[1]


@given(seed=SEEDS, size=st.sampled_from(SIZES), solvable=st.booleans())
def test_the_search_space_is_consistent(
    family: Family[Any, Any, Any], seed: int, size: int, solvable: bool
) -> None:
    problem, rng = drawn(family, seed, size, solvable)
    for node in build_dag(family, problem).nodes:
        moves = list(family.moves(problem, node.state))
        assert moves == list(family.moves(problem, node.state))
        assert len(set(moves)) == len(moves)
        assert family.is_goal(problem, node.state) == node.is_goal
        ordered = family.order(problem, node.state, moves, rng)
        assert set(ordered) <= set(moves)
        assert len(set(ordered)) == len(ordered)
        if family.is_refutable(problem, node.state):
            assert not node.is_alive
        elif node.is_alive and not node.is_goal:
            tried = {family.apply(problem, node.state, move) for move in ordered}
            alive = {family.apply(problem, node.state, move) for move in moves} & tried
            assert alive


@given(seed=SEEDS, size=st.sampled_from(SIZES))
def test_a_written_move_is_read_back(family: Family[Any, Any, Any], seed: int, size: int) -> None:
    problem, _ = drawn(family, seed, size)
    state = family.root(problem)
    for move in family.moves(problem, state):
        result = family.apply(problem, state, move)
        step = StepContext(problem, (), state, (), move, result, False, True, (), (result, ()))
        written = family.render_step(step).next_step
        assert family.read_move(problem, state, written) == move
        assert family.read_move(problem, state, f" {written} ") == move
        assert family.read_move(problem, state, f"{written} {written}") is None
    for nonsense in ("", EXHAUSTED.next_step, "1 1 + = 3", "Atlantis"):
        assert family.read_move(problem, state, nonsense) is None


@given(seed=SEEDS, size=st.sampled_from(SIZES), solvable=st.booleans())
def test_every_word_it_writes_is_one_token(
    family: Family[Any, Any, Any],
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    size: int,
    solvable: bool,
) -> None:
    problem, rng = drawn(family, seed, size, solvable)
    trace = sample_trace(family, problem, build_dag(family, problem), rng)
    written = [step.sections for step in trace.steps]
    written += [sections for _, sections in islice(family.drills(problem, rng), 12)]
    texts = [family.prompt(problem), trace.answer]
    if solvable:
        texts.append(family.direct_answer(problem, rng))
    for sections in written:
        texts += [sections.understanding, sections.next_step, sections.verification, sections.summary]
    for text in texts:
        # A comma stands directly behind a word and is a token of its own.
        words = text.replace(",", " ,").split()
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert len(ids) == len(words), text
        assert tokenizer.decode(ids) == text


@given(seed=SEEDS)
def test_drills_are_sections_with_a_verdict(family: Family[Any, Any, Any], seed: int) -> None:
    problem, rng = drawn(family, seed)
    for verdict, sections in islice(family.drills(problem, rng), 12):
        assert verdict in ("verified", "refuted")
        assert any((sections.understanding, sections.next_step, sections.verification, sections.summary))
