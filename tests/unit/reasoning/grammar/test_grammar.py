"""What the grammar says from each kind of start, and what it counts."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.grammar_mask import Mask

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.grammar.grammar import MAX_PLACES, counts_in_grammar, enforced_policy
from steiner.reasoning.grammar.rules import Counted
from steiner.reasoning.policy import Policy


@pytest.fixture
def accepts(tokenizer: Any, bound: Any, spelling: Any) -> Callable[[str, str], bool]:
    """Whether a grammar takes a text to the last token."""

    def check(grammar: str, text: str) -> bool:
        mask = Mask(tokenizer, grammar, bound.vocab_size)
        return all(mask.accept(token_id) for token_id in spelling.ids_of(text))

    return check


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", "<start>{step}<end>22<eot>"),
        ("<start>", "{step}<end>22<eot>"),
        ("<start><step_start>", "{in_step}<end>22<eot>"),
        (
            "<start><step_start>{understanding}{next_step}<step_verification_start>left",
            "1<verified><step_verification_end>{summary}<step_end><end>22<eot>",
        ),
        (
            "<start><step_start>{understanding}{next_step}<step_verification_start>left 1",
            "<verified><step_verification_end>{summary}<step_end><end>22<eot>",
        ),
        (
            "<start><step_start>{understanding}{next_step}<step_verification_start>left<verified>",
            "<step_verification_end>{summary}<step_end><end>22<eot>",
        ),
        ("<start>{step}", "<proceed>{step}<end>22<eot>"),
        ("<start>{refuted}<backtrack>", "0{step}<end>22<eot>"),
        ("<start>{refuted}<backtrack>0", "{step}<end>22<eot>"),
        ("<start>{step}<end>", "22<eot>"),
        ("<start>{step}<end>22", "4<eot>"),
        ("<start>{step}<end>22", "<eot>"),
    ],
)
def test_a_continuation_from_any_phase(text: str, rest: str, spelling: Any, bound: Any, accepts: Any) -> None:
    step = spelling.step()
    parts = {
        "step": step,
        "in_step": step.removeprefix("<step_start>"),
        "refuted": spelling.step("refuted"),
        "understanding": spelling.understanding,
        "next_step": spelling.next_step,
        "summary": spelling.summary,
    }
    policy = Policy(max_section_tokens=2)
    state = spelling.state(Automaton(bound, policy), text.format(**parts))
    grammar = compile_grammar(bound, policy, state)
    assert accepts(grammar, rest.format(**parts))
    assert not accepts(grammar, "<|im_start|>")


def test_a_full_section_goes_on_with_its_end(spelling: Any, bound: Any, accepts: Any) -> None:
    policy = Policy(max_section_tokens=2)
    opened = "<start><step_start><step_understanding_start>left 15"
    grammar = compile_grammar(bound, policy, spelling.state(Automaton(bound, policy), opened))
    assert accepts(grammar, "<step_understanding_end><step_next_step_start>")
    assert not accepts(grammar, "left")


def test_an_answer_may_end_only_when_it_has_begun(spelling: Any, bound: Any, accepts: Any) -> None:
    policy = Policy(max_reasoning_tokens=0)
    rules = Automaton(bound, policy)
    at_once = compile_grammar(bound, policy, spelling.state(rules, "<start><end>"))
    assert not accepts(at_once, "<eot>")
    begun = compile_grammar(bound, policy, spelling.state(rules, "<start><end>22"))
    assert accepts(begun, "<eot>")


def test_nothing_follows_a_turn_that_is_done(spelling: Any, bound: Any, accepts: Any) -> None:
    policy = Policy(max_reasoning_tokens=0)
    done = spelling.state(Automaton(bound, policy), "<start><end>22<eot>")
    grammar = compile_grammar(bound, policy, done)
    assert accepts(grammar, "")
    assert not accepts(grammar, "22")
    assert not accepts(compile_grammar(bound, policy), "<start><end>22<eot>22")


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        ({}, Counted(steps=False, backtracks=False)),
        ({"max_steps": 5, "max_backtracks": 2}, Counted(steps=True, backtracks=True)),
        ({"max_steps": 7, "max_backtracks": 4}, Counted(steps=True, backtracks=False)),
        ({"max_steps": 1000, "max_backtracks": 4, "max_depth": 6}, Counted(steps=False, backtracks=True)),
        ({"max_steps": 1000, "max_backtracks": 1000}, Counted(steps=False, backtracks=False)),
        # States that no trace can reach do not count: two steps have no more than one backtrack.
        ({"max_steps": 2, "max_backtracks": 10**6, "max_depth": 64}, Counted(steps=True, backtracks=True)),
    ],
)
def test_what_is_counted(limits: dict[str, int], counted: Counted, bound: Any) -> None:
    policy = Policy(**limits)
    assert counts_in_grammar(policy) == counted
    enforced = enforced_policy(policy)
    assert (enforced.max_steps == policy.max_steps) == counted.steps
    assert (enforced.max_backtracks == policy.max_backtracks) == counted.backtracks
    assert compile_grammar(bound, policy).count("\nstep_") <= MAX_PLACES


@pytest.mark.parametrize("counted", [True, False])
def test_the_minimum_of_steps_is_kept_without_counting_all(
    counted: bool, bound: Any, spelling: Any, accepts: Any
) -> None:
    policy = Policy(min_steps=3, **({"max_steps": 6} if counted else {}))
    assert counts_in_grammar(policy).steps == counted
    grammar = compile_grammar(bound, policy)
    assert not accepts(grammar, spelling.path("<proceed>", "<end>"))
    assert not accepts(grammar, spelling.path("<backtrack>0", "<end>"))
    assert accepts(grammar, spelling.path("<backtrack>0", "<proceed>", "<end>"))


def test_the_same_request_gets_the_same_text(bound: Any) -> None:
    assert compile_grammar(bound, Policy(max_steps=3)) is compile_grammar(bound, Policy(max_steps=3))
    assert compile_grammar(bound, Policy(max_steps=3)) != compile_grammar(bound, Policy(max_steps=4))


def test_every_rule_is_used_and_written(bound: Any, spelling: Any) -> None:
    rules = Automaton(bound, Policy())
    begun = spelling.state(rules, "<start><step_start><step_understanding_start>left")
    for policy, start in [(Policy(), None), (Policy.for_effort("minimal"), None), (Policy(), begun)]:
        written = dict(line.split(": ") for line in compile_grammar(bound, policy, start).splitlines()[1:])
        used = {name for body in written.values() for name in re.findall(r"[a-z]\w*", body)}
        assert used | {"start"} == set(written)


def test_a_long_reasoning_ends(bound: Any, spelling: Any, tokenizer: Any) -> None:
    """Written right-recursively, its end was more than llguidance's parser holds."""
    grammar = compile_grammar(bound, Policy(max_steps=2000, max_section_tokens=1))
    mask = Mask(tokenizer, grammar, bound.vocab_size)
    step = spelling.ids_of(spelling.step("refuted").replace(" 15", "").replace(" 22", "").replace(" 7", ""))
    back = spelling.ids_of("<backtrack>0")
    for token_id in [*spelling.ids_of("<start>"), *(step + back) * 1999]:
        assert mask.accept(token_id)
    ending = (
        spelling.path("<end>").removeprefix("<start>").replace(" 15", "").replace(" 22", "").replace(" 7", "")
    )
    assert all(mask.accept(token_id) for token_id in spelling.ids_of(f"{ending}22<eot>"))
    assert mask.has_ended
