"""Which limits are refused, in which words, and how a request's limits meet the deployment's."""

from typing import Any

import pytest
from pydantic import ValidationError

from steiner.reasoning.errors import PolicyError
from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import Protocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.protocols.think import THINK


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_steps": 0}, ["max_steps", "max_reasoning_tokens to 0"]),
        ({"max_steps": -3}, ["max_steps"]),
        ({"min_steps": 0}, ["min_steps"]),
        ({"min_steps": 33}, ["min_steps", "32"]),
        ({"min_steps": 5, "max_steps": 4}, ["min_steps (5)", "max_steps (4)"]),
        ({"max_depth": 0}, ["max_depth"]),
        ({"max_depth": 65}, ["max_depth", "64"]),
        ({"max_backtracks": -1}, ["max_backtracks"]),
        ({"max_section_tokens": 0}, ["max_section_tokens"]),
        ({"section_tokens": {"summary": 0}}, ["section_tokens.summary", "given 0"]),
        ({"section_tokens": {"thoughts": 4}}, ["section_tokens", "thoughts"]),
        ({"max_reasoning_tokens": -1}, ["max_reasoning_tokens"]),
        ({"max_stesp": 3}, ["max_stesp"]),
        ({"max_steps": "many"}, ["max_steps"]),
    ],
)
def test_a_refusal_names_the_field_and_the_limit(limits: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        Policy(**limits)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(("protocol", "shortest"), [(STEINER, 15), (STEINER_PREVIEW, 14), (THINK, 1)])
def test_a_budget_holds_the_shortest_step_of_its_protocol(protocol: Protocol, shortest: int) -> None:
    assert protocol.shortest_step == shortest
    for budget in (0, shortest):
        options = ReasoningOptions(max_reasoning_tokens=budget)
        assert options.resolve(None, Policy(), protocol).max_reasoning_tokens == budget
    for budget in range(1, shortest):
        options = ReasoningOptions(max_reasoning_tokens=budget)
        with pytest.raises(PolicyError, match=rf"\({budget}\) is below .* {shortest} tokens") as refusal:
            options.resolve(None, Policy(), protocol)
        assert refusal.value.field == "max_reasoning_tokens"


@pytest.mark.parametrize(
    ("protocol", "limits", "most"),
    [
        (STEINER, {"max_depth": 2, "max_backtracks": 0}, 2),
        (STEINER, {"max_depth": 2, "max_backtracks": 3}, 8),
        (STEINER_PREVIEW, {"max_depth": 2, "max_backtracks": 3}, 5),
    ],
)
def test_a_minimum_that_no_search_could_reach_is_refused(
    protocol: Protocol, limits: dict[str, int], most: int
) -> None:
    options = ReasoningOptions(min_steps=most, **limits)
    assert options.resolve(None, Policy(), protocol).min_steps == most
    with pytest.raises(PolicyError, match=rf"min_steps \({most + 1}\) .* leave room for {most};") as refusal:
        ReasoningOptions(min_steps=most + 1, **limits).resolve(None, Policy(), protocol)
    assert refusal.value.field == "min_steps"
    # Not asked for by the request, it gives way.
    assert ReasoningOptions(**limits).resolve(None, Policy(min_steps=most + 1), protocol).max_depth == 2


@pytest.mark.parametrize(
    ("protocol", "limits", "shortest"),
    [
        (STEINER, {"min_steps": 3}, 3 * 15 + 2),
        (STEINER, {"min_steps": 5, "max_depth": 2}, 5 * 15 + 4 + 2),
        (STEINER_PREVIEW, {"min_steps": 5, "max_depth": 2}, 5 * 14 + 4),
    ],
)
def test_a_budget_holds_the_shortest_trace_that_was_asked_for(
    protocol: Protocol, limits: dict[str, int], shortest: int
) -> None:
    options = ReasoningOptions(max_reasoning_tokens=shortest, **limits)
    assert options.resolve(None, Policy(), protocol).max_reasoning_tokens == shortest
    least = limits["min_steps"]
    too_small = ReasoningOptions(max_reasoning_tokens=shortest - 1, **limits)
    with pytest.raises(PolicyError, match=rf"min_steps \({least}\), {shortest} tokens") as refusal:
        too_small.resolve(None, Policy(), protocol)
    assert refusal.value.field == "max_reasoning_tokens"
    only_budget = too_small.model_copy(update={"min_steps": None})
    assert only_budget.resolve(None, Policy(min_steps=least), protocol).min_steps == least


def test_the_shortest_step_is_the_automatons(automaton: Any, spelling: Any) -> None:
    """One token of text in each section; the walk is legal, so no shorter step is."""
    step = "".join(
        f"<step_{name}_start>left{verdict}<step_{name}_end>"
        for name, verdict in [
            ("understanding", ""),
            ("next_step", ""),
            ("verification", "<verified>"),
            ("summary", ""),
        ]
    )
    text = f"<step_start>{step}<step_end>"
    assert len(spelling.ids_of(text)) == STEINER.shortest_step
    assert spelling.state(automaton(), f"<start>{text}").phase == "decision"


def test_a_role_may_have_a_limit_of_its_own() -> None:
    policy = Policy(max_section_tokens=9, section_tokens={"summary": 3})
    assert (policy.section_limit("summary"), policy.section_limit("next_step")) == (3, 9)


def test_efforts_are_ordered() -> None:
    efforts = [Policy.for_effort(effort) for effort in ("minimal", "low", "medium", "high")]
    for limit in ("max_steps", "max_backtracks"):
        values = [getattr(policy, limit) for policy in efforts]
        assert values == sorted(set(values))
    assert Policy.for_effort("none").max_reasoning_tokens == 0
    assert Policy.for_effort("medium") == Policy()


def test_a_request_overrides_the_effort_and_the_effort_the_default() -> None:
    default = Policy(max_steps=7, max_depth=3)
    assert ReasoningOptions().resolve(None, default, STEINER) == default
    assert ReasoningOptions(max_depth=2).resolve(None, default, STEINER) == Policy(max_steps=7, max_depth=2)
    low = ReasoningOptions(max_depth=2).resolve("low", default, STEINER)
    assert low == Policy.for_effort("low").model_copy(update={"max_depth": 2})


def test_null_is_the_default() -> None:
    options = ReasoningOptions.model_validate({"max_steps": None, "max_reasoning_tokens": None})
    assert options.resolve(None, Policy(max_steps=7), STEINER) == Policy(max_steps=7)


def test_a_lower_maximum_lowers_the_default_minimum() -> None:
    assert ReasoningOptions(max_steps=2).resolve(None, Policy(min_steps=4), STEINER).min_steps == 2


def test_a_minimum_that_was_asked_for_is_not_lowered() -> None:
    with pytest.raises(ValidationError, match="min_steps"):
        ReasoningOptions(min_steps=4, max_steps=2).resolve(None, Policy(), STEINER)


def test_a_limit_without_effect_is_refused() -> None:
    with pytest.raises(PolicyError, match="max_depth has no effect") as refusal:
        ReasoningOptions(max_depth=2).resolve("none", Policy(), STEINER)
    assert refusal.value.field == "max_depth"
    with pytest.raises(PolicyError, match="min_steps has no effect"):
        ReasoningOptions(min_steps=2, max_reasoning_tokens=0).resolve(None, Policy(), STEINER)


def test_a_budget_gives_effort_none_something_to_do() -> None:
    policy = ReasoningOptions(max_reasoning_tokens=100, max_depth=2).resolve("none", Policy(), STEINER)
    assert (policy.max_reasoning_tokens, policy.max_depth) == (100, 2)


def test_unknown_options_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="max_stesp"):
        ReasoningOptions.model_validate({"max_stesp": 3})


@pytest.mark.parametrize(
    ("protocol", "options", "field"),
    [
        (THINK, {"min_steps": 2}, "min_steps"),
        (THINK, {"max_steps": 8}, "max_steps"),
        (THINK, {"max_depth": 3}, "max_depth"),
        (THINK, {"max_backtracks": 0}, "max_backtracks"),
        (THINK, {"allow_change_of_mind": True}, "allow_change_of_mind"),
        (THINK, {"max_section_tokens": 9}, "max_section_tokens"),
        (THINK, {"section_tokens": {"thought": 9}}, "section_tokens.thought"),
        (THINK, {"section_tokens": {"summary": 9}}, "section_tokens.summary"),
        (STEINER_PREVIEW, {"allow_change_of_mind": False}, "allow_change_of_mind"),
        (STEINER_PREVIEW, {"section_tokens": {"thought": 9}}, "section_tokens.thought"),
        (STEINER, {"section_tokens": {"thought": 9}}, "section_tokens.thought"),
    ],
)
def test_a_limit_that_means_nothing_under_the_protocol_is_refused(
    protocol: Protocol, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(
        PolicyError, match=f"{field} has no effect with protocol '{protocol.name}'"
    ) as refusal:
        ReasoningOptions(**options).resolve(None, Policy(), protocol)
    assert refusal.value.field == field


def test_what_means_something_is_taken() -> None:
    options = ReasoningOptions(min_steps=2, max_depth=3, max_backtracks=1, section_tokens={"summary": 9})
    for protocol in (STEINER, STEINER_PREVIEW):
        assert options.resolve(None, Policy(), protocol).section_tokens == {"summary": 9}
    only_budget = ReasoningOptions(max_reasoning_tokens=7, constrained=False)
    assert only_budget.resolve(None, Policy(), THINK) == Policy(max_reasoning_tokens=7, constrained=False)


def test_without_steps_an_effort_is_a_budget() -> None:
    budgets = [
        Policy.for_effort(effort, THINK).max_reasoning_tokens
        for effort in ("none", "minimal", "low", "medium", "high")
    ]
    assert budgets == [0, 1_024, 4_096, 16_384, None]
    assert Policy.for_effort("low", STEINER) == Policy.for_effort("low")
    assert ReasoningOptions().resolve("low", Policy(), THINK).max_reasoning_tokens == 4_096


@pytest.mark.parametrize(
    "limit", ["min_steps", "max_steps", "max_depth", "max_backtracks", "max_section_tokens"]
)
@pytest.mark.parametrize("by_default", [True, False])
def test_a_limit_that_nothing_would_keep_is_refused(limit: str, by_default: bool) -> None:
    own = {} if by_default else {"constrained": False}
    with pytest.raises(PolicyError, match=f"{limit} has no effect where constrained is false") as refusal:
        ReasoningOptions(**own, **{limit: 2}).resolve(None, Policy(constrained=not by_default), STEINER)
    assert refusal.value.field == limit


def test_without_the_constraint_what_the_server_does_is_taken() -> None:
    options = ReasoningOptions(constrained=False, verifier="auto", memory=True, max_reasoning_tokens=99)
    policy = options.resolve("low", Policy(), STEINER)
    assert (policy.verifier, policy.memory, policy.constrained) == ("auto", True, False)


def test_an_effort_leaves_the_rules_of_the_deployment() -> None:
    rules = {
        "verifier": "auto",
        "memory": True,
        "backtrack_bias": 2.0,
        "end_bias": -1.0,
        "constrained": False,
    }
    for effort in ("minimal", "low", "medium", "high"):
        policy = ReasoningOptions().resolve(effort, Policy(**rules), STEINER)
        assert policy.model_dump(include=set(rules)) == rules
