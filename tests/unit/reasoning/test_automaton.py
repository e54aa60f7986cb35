"""The rules of the protocol at their edges, case by case."""

import re
from typing import Any

import pytest

from steiner.reasoning.automaton import State
from steiner.reasoning.errors import IllegalTokenError


def names(rules: Any, tokenizer: Any, state: State) -> set[str]:
    """What is allowed, in the short spelling; `text` for any text."""
    allowed = rules.allowed(state)
    tokens = {
        re.sub(r"^<\|reasoning_|\|>$|^▁", "", tokenizer.convert_ids_to_tokens(token_id))
        for token_id in allowed.ids - {rules.bound.end_of_turn_id}
    }
    if rules.bound.end_of_turn_id in allowed.ids:
        tokens.add("eot")
    return tokens | ({"text"} if allowed.text else set())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"start"}),
        ("<start>", {"step_start"}),
        ("<start><step_start>", {"step_understanding_start"}),
        ("<start><step_start><step_understanding_start>", {"text"}),
        ("<start><step_start><step_understanding_start>left", {"text", "step_understanding_end"}),
        ("<start>{step}", {"proceed", "end"}),
        ("<start>{refuted}", {"backtrack"}),
        ("<start>{refuted}<backtrack>", {"0"}),
        ("<start>{refuted}<backtrack>0", {"step_start"}),
        ("<start>{step}<proceed>{refuted}<backtrack>", {"0", "1"}),
        ("<start>{step}<end>", {"text"}),
        ("<start>{step}<end>22", {"text", "eot"}),
        ("<start>{step}<end>22<eot>", set()),
    ],
)
def test_what_may_come(text: str, expected: set[str], automaton: Any, spelling: Any, tokenizer: Any) -> None:
    text = text.format(step=spelling.step(), refuted=spelling.step("refuted"))
    rules = automaton()
    assert names(rules, tokenizer, spelling.state(rules, text)) == expected


@pytest.mark.parametrize(
    "limits",
    [{}, {"max_backtracks": 0}, {"max_steps": 1}, {"max_depth": 1}, {"min_steps": 2}],
)
def test_a_verdict_is_never_masked_and_needs_text_before_it(
    limits: dict[str, Any], automaton: Any, spelling: Any, tokenizer: Any
) -> None:
    rules = automaton(**limits)
    opened = f"<start><step_start>{spelling.understanding}{spelling.next_step}<step_verification_start>"
    assert names(rules, tokenizer, spelling.state(rules, opened)) == {"text"}
    assert names(rules, tokenizer, spelling.state(rules, f"{opened}left")) == {"text", "verified", "refuted"}
    judged = spelling.state(rules, f"{opened}left<refuted>")
    assert names(rules, tokenizer, judged) == {"step_verification_end"}
    assert judged.verdict == "refuted"


def test_a_section_at_its_limit_can_only_end(automaton: Any, spelling: Any, tokenizer: Any) -> None:
    rules = automaton(max_section_tokens=2, section_tokens={"verification": 1})
    opened = "<start><step_start><step_understanding_start>left"
    assert names(rules, tokenizer, spelling.state(rules, opened)) == {"text", "step_understanding_end"}
    full = spelling.state(rules, f"{opened} 15")
    assert (names(rules, tokenizer, full), rules.text_room(full)) == ({"step_understanding_end"}, 0)
    with pytest.raises(IllegalTokenError, match="'text'"):
        spelling.state(rules, "left", full)
    opened = f"<start><step_start>{spelling.understanding}{spelling.next_step}<step_verification_start>left"
    assert names(rules, tokenizer, spelling.state(rules, opened)) == {"verified", "refuted"}


@pytest.mark.parametrize(
    ("limits", "decisions", "last", "allowed", "ended_by"),
    [
        ({}, [], "refuted", {"backtrack"}, None),
        ({"max_backtracks": 1}, ["<backtrack>0"], "refuted", {"end"}, "max_backtracks"),
        ({"max_backtracks": 1}, ["<backtrack>0"], "verified", {"proceed", "end"}, None),
        ({"max_backtracks": 0}, [], "refuted", {"end"}, "max_backtracks"),
        ({"max_steps": 2}, ["<backtrack>0"], "refuted", {"end"}, "max_steps"),
        ({"max_steps": 2}, ["<proceed>"], "verified", {"end"}, "max_steps"),
        ({"max_depth": 2}, ["<proceed>"], "verified", {"end"}, "max_depth"),
        ({"max_depth": 2}, ["<proceed>"], "refuted", {"backtrack"}, None),
        ({"max_depth": 1}, ["<backtrack>0"], "verified", {"end"}, "max_depth"),
        ({"min_steps": 2}, [], "verified", {"proceed"}, None),
        ({"min_steps": 2}, ["<backtrack>0"], "verified", {"proceed", "end"}, None),
        ({"min_steps": 3, "max_depth": 1}, [], "verified", {"end"}, "max_depth"),
        ({"min_steps": 3, "max_backtracks": 0}, [], "refuted", {"end"}, "max_backtracks"),
        ({"min_steps": 2, "max_steps": 2}, ["<proceed>"], "verified", {"end"}, "max_steps"),
        ({"allow_change_of_mind": True}, [], "verified", {"proceed", "backtrack", "end"}, None),
        ({"allow_change_of_mind": True, "max_depth": 1}, [], "verified", {"backtrack", "end"}, None),
        ({"allow_change_of_mind": True, "max_backtracks": 0}, [], "verified", {"proceed", "end"}, None),
        ({"allow_change_of_mind": True, "min_steps": 2, "max_depth": 1}, [], "verified", {"backtrack"}, None),
    ],
)
def test_limits_act_on_the_decision(
    limits: dict[str, Any],
    decisions: list[str],
    last: str,
    allowed: set[str],
    ended_by: str | None,
    automaton: Any,
    spelling: Any,
    tokenizer: Any,
) -> None:
    rules = automaton(**limits)
    state = spelling.state(rules, spelling.path(*decisions) + spelling.step(last))
    assert names(rules, tokenizer, state) == allowed
    assert rules.limit_reached(state) == ended_by


def test_a_backtrack_leads_to_any_depth_above_the_step(automaton: Any, spelling: Any, tokenizer: Any) -> None:
    rules = automaton()
    text = spelling.path(*["<proceed>"] * 11) + f"{spelling.step('refuted')}<backtrack>"
    state = spelling.state(rules, text)
    assert state.depth == 12
    assert names(rules, tokenizer, state) == {str(depth) for depth in range(12)}
    back = spelling.state(rules, "10<step_start>", state)
    assert (back.depth, back.num_steps, back.num_backtracks) == (11, 13, 1)
    with pytest.raises(IllegalTokenError, match="'depth'"):
        spelling.state(rules, "12", state)


def test_a_budget_of_nothing_answers_at_once(automaton: Any, spelling: Any, tokenizer: Any) -> None:
    rules = automaton(max_reasoning_tokens=0)
    state = spelling.state(rules, "<start>")
    assert names(rules, tokenizer, state) == {"end"}
    assert rules.limit_reached(state) == "max_reasoning_tokens"
    assert rules.accepts(spelling.state(rules, "<start><end>22"))


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        ("", "<start><end>"),
        ("<start>", "<end>"),
        ("<start><step_start>", "<step_end><end>"),
        ("<start><step_start><step_understanding_start>", "<step_understanding_end><step_end><end>"),
        ("<start><step_start><step_understanding_start>left", "<step_understanding_end><step_end><end>"),
        ("<start><step_start>{understanding}", "<step_end><end>"),
        ("<start>{to_the_verdict}", "<step_verification_end><step_end><end>"),
        ("<start>{step}", "<end>"),
        ("<start>{step}<proceed>", "<end>"),
        ("<start>{refuted}<backtrack>", "<end>"),
        ("<start>{refuted}<backtrack>0", "<end>"),
        ("<start>{step}<end>", ""),
        ("<start>{step}<end>22<eot>", ""),
    ],
)
def test_closing_early(text: str, closing: str, automaton: Any, spelling: Any) -> None:
    rules = automaton()
    to_the_verdict = (
        f"<step_start>{spelling.understanding}{spelling.next_step}<step_verification_start>left<verified>"
    )
    state = spelling.state(
        rules,
        text.format(
            understanding=spelling.understanding,
            step=spelling.step(),
            refuted=spelling.step("refuted"),
            to_the_verdict=to_the_verdict,
        ),
    )
    assert list(rules.closing(state)) == spelling.ids_of(closing)
    if not closing:
        with pytest.raises(IllegalTokenError):
            rules.advance(state, 0, closing=True)
        return
    after = rules.close(state)
    assert (after.phase, after.num_text, after.closing) == ("answer", 0, False)
    assert not rules.accepts(after)


def test_a_closing_that_has_begun_goes_on(automaton: Any, spelling: Any, bound: Any) -> None:
    rules = automaton()
    state = spelling.state(rules, "<start><step_start><step_understanding_start>left")
    (end,) = spelling.ids_of("<step_understanding_end>")
    begun = rules.advance(state, end, closing=True)
    assert rules.allowed(begun).ids == {bound.step_end_id}
    with pytest.raises(IllegalTokenError):
        rules.advance(begun, bound.sections[1].start_id)
    # The same token, sampled, is a section that ended as it should.
    sampled = rules.advance(state, end)
    assert rules.allowed(sampled).ids == {bound.sections[1].start_id}


def test_padding_and_special_tokens_are_no_text(automaton: Any, spelling: Any, bound: Any) -> None:
    rules = automaton()
    state = spelling.state(rules, "<start><step_start><step_understanding_start>")
    for token_id in (bound.vocab_size, -1, bound.end_of_turn_id, bound.step_end_id):
        with pytest.raises(IllegalTokenError) as refusal:
            rules.advance(state, token_id)
        assert refusal.value.token_id == token_id
