"""The `reasoning` object of a request, and the policy that it asks for.

A limit that could have no effect under the protocol is refused by name. It is never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from steiner.reasoning.errors import PolicyError
from steiner.reasoning.policy import Policy, ReasoningEffort
from steiner.reasoning.protocol import Protocol, SectionRole

ONE_STEP = "all of its reasoning is one step"
NO_WAY_BACK = "its model has no token to go back"
NO_VERDICTS = "its steps carry no verdict"
NO_DEPTH = "its backtracks do not say where to, so what they abandon is unknown"
NO_TOKEN = "its markers are text, and no single token decides"
NO_TRAINING = "its models were not trained to go on from summaries alone"
ONE_SECTION = "its one section lasts as long as the reasoning, which max_reasoning_tokens limits"
KEPT_BY_CONSTRAINT = {
    "allow_change_of_mind",
    "max_backtracks",
    "max_depth",
    "max_section_tokens",
    "max_steps",
    "min_steps",
    "section_tokens",
}

_RULES = {
    "allow_change_of_mind",
    "backtrack_bias",
    "end_bias",
    "verifier",
    "refute_repeats",
    "memory",
    "constrained",
}


def refuse_ineffective(given: Mapping[str, Any], protocol: Protocol) -> None:
    """Check the limits that were asked for, by their names in `Policy`.

    Raises:
        PolicyError: one of them could have no effect under the protocol.
    """
    for field, reason in sorted(_ineffective(given, protocol)):
        raise PolicyError(
            field, f"{field} has no effect with protocol {protocol.name!r}: {reason}; leave it out"
        )


def refuse_unconstrained(given: Mapping[str, Any]) -> None:
    """Check that no limit was asked for that only constrained decoding can keep.

    Raises:
        PolicyError: a limit could have no effect, because decoding is not constrained.
    """
    for field in sorted(KEPT_BY_CONSTRAINT & given.keys()):
        raise PolicyError(
            field,
            f"{field} has no effect where constrained is false; leave it out, or limit the reasoning with "
            "max_reasoning_tokens",
        )


def refuse_unreachable_minimum(policy: Policy, protocol: Protocol, least: int) -> None:
    """Check that a search within the other limits can reach the minimum of steps.

    Raises:
        PolicyError: it cannot.
    """
    depth = policy.max_depth if protocol.proceed is not None else 1
    num_turns = policy.max_backtracks if protocol.backtrack is not None else 0
    # After a backtrack that names its depth, a search may go as deep again; after another, its depth stays.
    most = depth * (num_turns + 1) if protocol.names_depth else depth + num_turns
    if least > most:
        raise PolicyError(
            "min_steps",
            f"min_steps ({least}) cannot be reached: max_depth ({policy.max_depth}) and max_backtracks "
            f"({policy.max_backtracks}) leave room for {most}; lower it, or raise one of those",
        )


def refuse_small_budget(policy: Policy, protocol: Protocol, least: int) -> None:
    """Check that the shortest legal trace with the minimum of steps fits the budget.

    Raises:
        PolicyError: it does not.
    """
    budget = policy.max_reasoning_tokens
    if not budget:
        return
    # A decision comes between two steps; one that names a depth takes at least two tokens.
    num_turns = (least - 1) // policy.max_depth if protocol.names_depth else 0
    num_decisions = (least - 1) * max(1, protocol.tokens_of(protocol.proceed))
    shortest = least * protocol.shortest_step + num_decisions + num_turns
    if budget < shortest:
        what = "the shortest legal step" if least == 1 else f"the shortest legal trace of min_steps ({least})"
        raise PolicyError(
            "max_reasoning_tokens",
            f"max_reasoning_tokens ({budget}) is below {what}, {shortest} tokens; "
            "raise it, or set it to 0 to answer at once",
        )


def _ineffective(given: Mapping[str, Any], protocol: Protocol) -> Iterable[tuple[str, str]]:
    limited = {section.role for section in protocol.sections if protocol.has_limited_sections}
    without = {
        "min_steps": (protocol.has_decisions, ONE_STEP),
        "max_steps": (protocol.has_decisions, ONE_STEP),
        "max_depth": (protocol.proceed is not None, ONE_STEP),
        "max_backtracks": (protocol.backtrack is not None, NO_WAY_BACK),
        "allow_change_of_mind": (protocol.has_verdicts and protocol.backtrack is not None, NO_VERDICTS),
        "max_section_tokens": (bool(limited), ONE_SECTION),
        "backtrack_bias": (
            protocol.backtrack is not None and not protocol.is_text,
            NO_TOKEN if protocol.is_text else NO_WAY_BACK,
        ),
        "end_bias": (not protocol.is_text, NO_TOKEN),
        "verifier": (protocol.has_decisions, ONE_STEP),
        "refute_repeats": (protocol.has_decisions or not given.get("refute_repeats"), ONE_STEP),
        "memory": (
            (protocol.names_depth and not protocol.is_text) or not given.get("memory"),
            NO_TRAINING if protocol.is_text else NO_DEPTH,
        ),
    }
    for field, (has_effect, reason) in without.items():
        if field in given and not has_effect:
            yield field, reason
    for role in sorted(set(given.get("section_tokens", ())) - limited):
        has_role = any(section.role == role for section in protocol.sections)
        yield f"section_tokens.{role}", ONE_SECTION if has_role else "its steps have no such section"


class ReasoningOptions(BaseModel):
    """The `reasoning` object of a request: any limits of `Policy`, each left out or null for the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_steps: int | None = None
    max_steps: int | None = None
    max_depth: int | None = None
    max_backtracks: int | None = None
    max_reasoning_tokens: int | None = None
    max_section_tokens: int | None = None
    section_tokens: dict[SectionRole, int] | None = None
    allow_change_of_mind: bool | None = None
    backtrack_bias: float | None = None
    end_bias: float | None = None
    verifier: str | None = None
    refute_repeats: bool | None = None
    memory: bool | None = None
    constrained: bool | None = None

    def resolve(self, effort: ReasoningEffort | None, default: Policy, protocol: Protocol) -> Policy:
        """The policy of a request: its own limits, then those of its effort, then the deployment's default.

        Raises:
            pydantic.ValidationError: the limits are out of range or contradict each other; it names the field.
            PolicyError: a limit was asked for that could have no effect under the protocol or without a budget for
                reasoning, no search could have as many steps as were asked for, or the budget is too small for them.
        """
        limits = default.model_dump()
        if effort is not None:
            # An effort says how long to search, not under which rules.
            limits |= Policy.for_effort(effort, protocol).model_dump(exclude=_RULES)
        given = self.model_dump(exclude_none=True)
        refuse_ineffective(given, protocol)
        if "max_steps" in given and "min_steps" not in given:
            # A request that only lowers the maximum should not contradict the default minimum.
            limits["min_steps"] = max(1, min(limits["min_steps"], given["max_steps"]))
        policy = Policy(**{**limits, **given})
        ineffective = sorted(given.keys() - {"max_reasoning_tokens", "constrained"})
        if policy.max_reasoning_tokens == 0 and ineffective:
            raise PolicyError(
                ineffective[0],
                f"{ineffective[0]} has no effect when nothing may be reasoned (max_reasoning_tokens 0 or effort none); "
                "leave it out, or give a budget in max_reasoning_tokens",
            )
        if not policy.constrained:
            refuse_unconstrained(given)
        # The deployment's minimum gives way to a request's maxima; a minimum that was asked for does not.
        least = policy.min_steps if "min_steps" in given else 1
        refuse_unreachable_minimum(policy, protocol, least)
        refuse_small_budget(policy, protocol, least)
        return policy
