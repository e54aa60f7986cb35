"""The automaton as an xgrammar EBNF over token ids.

The automaton is walked from state to state, and what it allows is written down, so the grammar holds no second copy of
the rules. A state in which a step has just begun becomes a rule; stretches that many of them share become rules, too,
and so do the depths that a backtrack may name: each list is the next shorter one and one depth more, or the lists would
be most of the text, which vLLM parses for every request.

Depth is always counted, since it decides which backtracks are legal, and so are steps up to the minimum. All steps and
backtracks are counted while the rules of steps stay within MAX_RULES: a longer text costs every request more in vLLM's
check, while the mask per token stays the same. What is not counted is left to the conductor, which ends the reasoning
where the automaton refuses a token.

Every grammar carries a mark of its own. xgrammar's compiler shares masks between grammars by a hash of each rule that
knows a token by its place in the grammar, not by its id (0.2.8: `root ::= Token(1)` and then `root ::= Token(3)` mask
alike), so two requests with different limits could get each other's masks.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from steiner.reasoning.automaton import Allowed, Automaton, Phase, State
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol

MAX_RULES = 100
UNCOUNTED = 1_000_000
SHORTEST_PART = 3
"""Symbols from which on a stretch is worth a rule of its own."""
MARK = "mark"
"""Name of the rule that makes a grammar unlike any other; every other rule leads to it through a rule of text."""
_RULE_NAME = re.compile(r"\b(?:answer|part|return|step|text)\w*")


@dataclass(frozen=True, slots=True)
class Counted:
    """Which counters the grammar keeps itself."""

    steps: bool
    backtracks: bool


_PREFERENCES = (Counted(True, True), Counted(True, False), Counted(False, True))
_WITHOUT_RULES = {"constrained", "backtrack_bias", "end_bias", "verifier", "refute_repeats", "memory"}
"""Fields of a policy that change no rule."""


def counts_in_grammar(policy: Policy) -> Counted:
    """The most counters whose states stay near MAX_RULES; depth and the minimum of steps are always among them.

    That no backtrack is left takes no counting, so it is always kept.
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
    """The language of `Automaton(bound, enforced_policy(policy))` from `start` on, without the end of the turn.

    The engine's stop token ends the answer: xgrammar masks it until the grammar may end, which is anywhere behind the
    answer's first token.

    Args:
        start: where a continued sequence stands; None for an empty one. The rules are the same, the root is another.

    Returns:
        EBNF text for vLLM's `structured_outputs.grammar` with backend xgrammar (`Token(id)`, `ExcludeToken(ids)`,
        `rule[max_tokens=N]`).
    """
    return _text(bound, _key(policy), start)


def compile_continuation(bound: BoundProtocol, policy: Policy, start: State) -> str:
    """As `compile_grammar` from a state on, but nothing is counted save the depth and the minimum of steps.

    A sequence that is cut now and then would need another grammar each time, for another count. Without the counts
    there are as many as there are places to cut at, times the depths, so that the engine soon knows them all. The
    limits on steps and backtracks are then the conductor's to keep. Where backtracks are used up there are none.
    """
    max_backtracks = UNCOUNTED if start.num_backtracks < policy.max_backtracks else 0
    uncounted = policy.model_copy(update={"max_steps": UNCOUNTED, "max_backtracks": max_backtracks})
    same = replace(start, num_steps=min(start.num_steps, policy.min_steps), num_backtracks=0)
    return _text(bound, _key(uncounted), same)


def _key(policy: Policy) -> str:
    """The policies of one language have one key. Section limits are a dict, hence the JSON text."""
    budget = 0 if policy.max_reasoning_tokens == 0 else None
    ruled = policy.model_copy(update={"max_reasoning_tokens": budget})
    return json.dumps(ruled.model_dump(exclude=_WITHOUT_RULES), sort_keys=True)


@lru_cache(maxsize=256)
def _text(bound: BoundProtocol, policy_json: str, start: State | None) -> str:
    return _grammar(bound, policy_json).text(start)


@lru_cache(maxsize=64)
def _grammar(bound: BoundProtocol, policy_json: str) -> "_Grammar":
    return _Grammar(bound, Policy.model_validate_json(policy_json))


def _is_small(policy: Policy, counted: Counted) -> bool:
    """Whether the steps that differ in what is counted are at most MAX_RULES."""
    num_states = 0
    for num_steps in range(1, (policy.max_steps if counted.steps else policy.min_steps) + 1):
        for num_backtracks in range((policy.max_backtracks if counted.backtracks else 0) + 1):
            if counted.steps and counted.backtracks:
                # Each backtrack is a step that does not go deeper.
                deepest = min(policy.max_depth, num_steps - num_backtracks)
            else:
                deepest = min(policy.max_depth, num_steps if counted.steps else policy.max_depth)
            if deepest < 1:
                break
            num_states += deepest
            if num_states > MAX_RULES:
                return False
    return True


def _mark(rules: str) -> str:
    """A rule that no text fits, so that it allows nothing; its literal sets the hashes of the rules above it apart."""
    return f'{MARK} ::= {MARK} "{hashlib.sha256(rules.encode()).hexdigest()[:16]}"'


class _Grammar:
    """Rules of one policy, written when a root first needs them and kept for the next root."""

    def __init__(self, bound: BoundProtocol, policy: Policy) -> None:
        self._min_steps = policy.min_steps
        self._counted = counts_in_grammar(policy)
        self._automaton = Automaton(bound, enforced_policy(policy))
        self._any_text = f"ExcludeToken({', '.join(map(str, sorted(bound.special_ids)))})"
        self._rules: dict[str, str] = {}
        self._part_names: dict[str, str] = {}
        self._unwritten: list[tuple[str, State]] = []
        self._lock = threading.Lock()

    def text(self, start: State | None) -> str:
        """The grammar with its root at a state."""
        with self._lock:
            root = f"root ::= {self._walk(self._automaton.initial if start is None else start)}"
            while self._unwritten:
                name, state = self._unwritten.pop()
                self._rules[name] = f"{name} ::= {self._walk(state, is_inside=True)}"
            rules = "\n".join((root, *self._needed_by(root)))
        return f"{rules}\n{_mark(rules)}\n"

    def _needed_by(self, root: str) -> Iterator[str]:
        named, waiting = {"root"}, [root]
        while waiting:
            rule = waiting.pop()
            if rule is not root:
                yield rule
            for name in _RULE_NAME.findall(rule):
                if name not in named:
                    named.add(name)
                    waiting.append(self._rules[name])

    def _walk(self, state: State, is_inside: bool = False) -> str:
        """What may follow a state, as far as the next steps and the answer.

        Args:
            is_inside: write a step that has just begun, and do not name its rule.
        """
        symbols: list[str] = []
        while state.phase != "done":
            if state.phase == "answer":
                symbols.append(self._text_rule("answer") + ("?" if state.num_text else ""))
                break
            if not is_inside and self._is_begun_step(state):
                symbols.append(self._step_rule(state))
                break
            if state.phase == "depth" and state.depth > 1 and not (state.spelled or state.closing):
                symbols = [self._part(symbols), self._return_rule(state)]
                break
            is_inside = False
            allowed = self._automaton.allowed(state)
            if allowed.text:
                room = self._automaton.text_room(state)
                symbols.append(self._text_rule("text", room) + ("?" if allowed.ids else ""))
                state = replace(state, num_text=state.num_text + (1 if room is None else room))
                allowed = Allowed(self._automaton.ends_of_text(state))
            if len(allowed.ids) == 1:
                (token_id,) = allowed.ids
                symbols.append(f"Token({token_id})")
                state = self._automaton.advance(state, token_id)
            else:
                branches = (
                    f"Token({token_id}) {self._walk(self._automaton.advance(state, token_id))}"
                    for token_id in sorted(allowed.ids)
                )
                symbols = [self._part(symbols), f"({' | '.join(branches)})"]
                break
        return " ".join(filter(None, symbols)) or '""'

    def _part(self, symbols: list[str]) -> str:
        """A stretch that every step goes through, as a rule that they share."""
        body = " ".join(symbols)
        if len(symbols) < SHORTEST_PART:
            return body
        name = self._part_names.setdefault(body, f"part_{len(self._part_names)}")
        self._rules[name] = f"{name} ::= {body}"
        return name

    def _text_rule(self, kind: str, max_tokens: int | None = None) -> str:
        """One token of text or more; a recursion, since xgrammar is slow with counted repetitions of tokens."""
        name, limit = (
            (kind, "") if max_tokens is None else (f"{kind}_{max_tokens}", f"[max_tokens={max_tokens}]")
        )
        self._rules[name] = f"{name}{limit} ::= {self._any_text} {name} | {self._any_text} | {MARK}"
        return name

    def _is_begun_step(self, state: State) -> bool:
        """Whether nothing of a step is written but its start, if that has a marker."""
        begun: Phase = "section" if self._automaton.bound.sections[0].start_id is not None else "text"
        return (state.phase, state.section, state.num_text, state.closing) == (begun, 0, 0, False)

    def _step_rule(self, state: State) -> str:
        """The rule of a step that has just begun; steps that differ in nothing counted share it."""
        num_steps, num_backtracks = self._counts(state)
        name = f"step_{state.depth}_{num_steps}_{num_backtracks}"
        if name not in self._rules:
            self._rules[name] = name
            same = State(state.phase, depth=state.depth, num_steps=num_steps, num_backtracks=num_backtracks)
            self._unwritten.append((name, same))
        return name

    def _return_rule(self, state: State) -> str:
        """The rule of the depths that a backtrack may name: those of a path one step shorter, or the deepest."""
        name = "_".join(map(str, ("return", state.depth, *self._counts(state))))
        if name not in self._rules:
            shorter = self._walk(replace(state, depth=state.depth - 1))
            ids = self._automaton.bound.depth_ids[self._automaton.legal_depths(state)[-1]]
            for token_id in ids:
                state = self._automaton.advance(state, token_id)
            spelled = " ".join(f"Token({token_id})" for token_id in ids)
            self._rules[name] = f"{name} ::= {shorter} | {spelled} {self._walk(state)}"
        return name

    def _counts(self, state: State) -> tuple[int, int]:
        """Steps and backtracks as far as the grammar counts them."""
        num_steps = state.num_steps if self._counted.steps else min(state.num_steps, self._min_steps)
        return num_steps, state.num_backtracks if self._counted.backtracks else 0
