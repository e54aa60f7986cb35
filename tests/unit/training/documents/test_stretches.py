"""A folded trace: what the model wrote is there once, and the server's context is the same."""

import random
from itertools import pairwise

import pytest
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.documents.encode import Stretch, choose_stretches, stretches
from steiner.training.model.tokenizer import build_tokenizer, family_words
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.traces.render import render
from steiner.training.traces.walk import TaughtTrace, sample_trace


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(family_words(), 2048)


def long_search(seed: int, solvable: bool = True) -> TaughtTrace:
    family = FAMILIES["countdown"]
    rng = random.Random(seed)
    problem = family.generate(rng, 4, solvable)
    return sample_trace(family, problem, build_dag(family, problem), rng, remembers=False)


def ids_of(trace: TaughtTrace, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    text = STEINER.reasoning_start + render(trace).reasoning
    return list(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("seed", range(6))
def test_the_stretches_together_are_the_trace(seed: int, tokenizer: PreTrainedTokenizerFast) -> None:
    trace = long_search(seed)
    ids = ids_of(trace, tokenizer)
    cut = stretches(STEINER.bind(tokenizer), ids)
    assert len(cut) == trace.num_backtracks + 1
    assert cut[0].begin == 0
    for before, behind in pairwise(cut):
        assert before.end == behind.begin
    own = [token_id for s in cut for token_id in s.token_ids[len(s.token_ids) - (s.end - s.begin) :]]
    assert own == ids


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_written_is_a_folded_step_with_the_summary_of_the_step_that_turned_back(
    seed: int, tokenizer: PreTrainedTokenizerFast
) -> None:
    bound = STEINER.bind(tokenizer)
    trace = long_search(seed)
    turned = [step for step in trace.steps if isinstance(step.decision, int)]
    summary = next(section for section in bound.sections if section.role == "summary")
    later = stretches(bound, ids_of(trace, tokenizer))[1:]
    for stretch, step in zip(later, turned, strict=True):
        begin = len(stretch.token_ids) - (stretch.end - stretch.begin)
        text = tokenizer.encode(step.sections.summary, add_special_tokens=False)
        depth = tokenizer.encode(str(step.decision), add_special_tokens=False)
        fold = [bound.step_start_id, summary.start_id, *text, summary.end_id, bound.step_end_id]
        fold += [bound.backtrack_id, *depth]
        assert stretch.token_ids[begin - len(fold) : begin] == fold
        assert stretch.written[begin - len(fold) : begin] == [False] * len(fold)
        assert all(stretch.written[begin:])


def test_the_context_does_not_grow_with_the_search(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = ids_of(long_search(1, solvable=False), tokenizer)
    cut = stretches(STEINER.bind(tokenizer), ids)
    longest = max(len(stretch.token_ids) for stretch in cut)
    assert len(ids) > 5_000
    assert longest < 600


def test_the_last_stretch_is_always_chosen_and_order_is_kept(tokenizer: PreTrainedTokenizerFast) -> None:
    cut = stretches(STEINER.bind(tokenizer), ids_of(long_search(2), tokenizer))
    chosen = choose_stretches(cut, 4, random.Random(1))
    assert len(chosen) == 4
    assert chosen[-1] is cut[-1]
    assert [s.begin for s in chosen] == sorted(s.begin for s in chosen)
    assert choose_stretches(cut[-1:], 4, random.Random(1)) == cut[-1:]
    assert len(choose_stretches(cut, 10_000, random.Random(1))) == len(cut)


def test_a_search_that_forgets_finds_what_it_forgot_again() -> None:
    """Two ways lead to one dead arm: the search that remembers calls it seen, the other enters it again."""
    family = FAMILIES["routes"]
    texts: dict[bool, list[str]] = {True: [], False: []}
    for seed in range(40):
        rng = random.Random(seed)
        problem = family.generate(rng, 5)
        for remembers in texts:
            trace = sample_trace(family, problem, build_dag(family, problem), random.Random(seed), remembers)
            assert family.check(problem, trace.answer)
            texts[remembers] += [step.sections.verification for step in trace.steps]
    assert any("seen" in text for text in texts[True])
    assert not any("seen" in text for text in texts[False])


def test_a_stretch_has_a_flag_for_each_token(tokenizer: PreTrainedTokenizerFast) -> None:
    bound = STEINER.bind(tokenizer)
    cut: list[Stretch] = stretches(bound, ids_of(long_search(3), tokenizer))
    assert all(len(stretch.token_ids) == len(stretch.written) for stretch in cut)
    context = FoldingContext(bound)
    context.take(cut[0].token_ids)
    assert context.token_ids == cut[0].token_ids
