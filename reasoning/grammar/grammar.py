"""The automaton as a Lark grammar over token ids, in llguidance's dialect.

Depth is always counted, because it decides which backtracks are legal, and so are steps up to the minimum. All steps
and backtracks are counted as long as this makes at most MAX_PLACES different places: llguidance keeps no grammar, so
vLLM parses the text for every request, once in its front end and once in its engine. The cost of a token's mask stays
the same. What is not counted is left to the conductor, which ends the reasoning where the automaton refuses a token.
"""

import json
from dataclasses import replace
from functools import lru_cache

from steiner.reasoning.automaton import State
from steiner.reasoning.grammar.rules import Counted, GrammarRules
from steiner.reasoning.grammar.text_rules import TextGrammarRules
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol

MAX_PLACES = 32
UNCOUNTED = 1_000_000

_PREFERENCES = (Counted(True, True), Counted(True, False), Counted(False, True))
_WITHOUT_RULES = {"constrained", "backtrack_bias", "end_bias", "verifier", "refute_repeats", "memory"}
"""Fields of a policy that change no rule."""


def counts_in_grammar(policy: Policy) -> Counted:
    """As many counters as MAX_PLACES allows; depth and the minimum of steps are always among them.

    "No backtrack is left" needs no counting, so it is always enforced.
    """
    least = Counted(steps=False, backtracks=policy.max_backtracks == 0)
    return next((counted for counted in _PREFERENCES if _is_small(policy, counted)), least)


def enforced_policy(policy: Policy) -> Policy:
    """The policy that the grammar enforces: limits that it does not count are lifted."""
    counted = counts_in_grammar(policy)
    lifted = {
        "max_steps": policy.max_steps if counted.steps else UNCOUNTED,
        "max_backtracks": policy.max_backtracks if counted.backtracks else UNCOUNTED,
    }
    return policy.model_copy(update=lifted)


def compile_grammar(bound: BoundProtocol, policy: Policy, start: State | None = None) -> str:
    """The language of `Automaton(bound, enforced_policy(policy))` from `start` on, the end of the turn included.

    Args:
        start: the state of a continued sequence; None for an empty one.

    Returns:
        Lark text for vLLM's `structured_outputs.grammar` with backend guidance.
    """
    return _text(bound, _key(policy), start)


def compile_continuation(bound: BoundProtocol, policy: Policy, start: State) -> str:
    """As `compile_grammar` from a state on, but it counts only the depth and the minimum of steps.

    With counts, each cut would need a new text for the new count. Without them there is one text for each place to cut
    at and each depth, so most are already written, and all are short. The conductor then keeps the limits on steps and
    backtracks. Once backtracks are used up, the grammar has none.
    """
    max_backtracks = UNCOUNTED if start.num_backtracks < policy.max_backtracks else 0
    uncounted = policy.model_copy(update={"max_steps": UNCOUNTED, "max_backtracks": max_backtracks})
    same = replace(start, num_steps=min(start.num_steps, policy.min_steps), num_backtracks=0)
    return _text(bound, _key(uncounted), same)


def _key(policy: Policy) -> str:
    """Policies with the same language have the same key. Section limits are a dict, hence the JSON text."""
    budget = 0 if policy.max_reasoning_tokens == 0 else None
    ruled = policy.model_copy(update={"max_reasoning_tokens": budget})
    return json.dumps(ruled.model_dump(exclude=_WITHOUT_RULES), sort_keys=True)


@lru_cache(maxsize=256)
def _text(bound: BoundProtocol, policy_json: str, start: State | None) -> str:
    return _rules(bound, policy_json).text(start)


@lru_cache(maxsize=64)
def _rules(bound: BoundProtocol, policy_json: str) -> GrammarRules:
    policy = Policy.model_validate_json(policy_json)
    rules = GrammarRules if bound.text is None else TextGrammarRules
    return rules(bound, enforced_policy(policy), counts_in_grammar(policy))


def _is_small(policy: Policy, counted: Counted) -> bool:
    """Whether the steps that differ in what is counted are at most MAX_PLACES."""
    num_places = 0
    for num_steps in range(1, (policy.max_steps if counted.steps else policy.min_steps) + 1):
        for num_backtracks in range((policy.max_backtracks if counted.backtracks else 0) + 1):
            if counted.steps and counted.backtracks:
                # After each backtrack, one step does not go deeper.
                deepest = min(policy.max_depth, num_steps - num_backtracks)
            else:
                deepest = min(policy.max_depth, num_steps if counted.steps else policy.max_depth)
            if deepest < 1:
                break
            num_places += deepest
            if num_places > MAX_PLACES:
                return False
    return True
