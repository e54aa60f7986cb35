"""The automaton and a policy as an xgrammar EBNF over token ids.

The frame of a step is one rule; what may follow it is asked of the automaton state by state, so that the grammar holds no
second copy of the rules. Depth is always counted, since it decides which backtracks are legal. Steps and backtracks are
counted while the rules stay near MAX_RULES; what is not counted is left to the conductor, which closes legally
when the automaton refuses a token.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.steps import Verdict

MAX_RULES = 500
UNCOUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """Which counters the grammar keeps itself."""

    steps: bool
    backtracks: bool


_PREFERENCES = (Counted(True, True), Counted(True, False), Counted(False, True), Counted(False, False))


def counts_in_grammar(policy: Policy) -> Counted:
    """The most counters whose states stay near MAX_RULES; depth and the minimum of steps are always among them."""
    return next((counted for counted in _PREFERENCES if _num_states(policy, counted) <= MAX_RULES), _PREFERENCES[-1])


def _num_states(policy: Policy, counted: Counted) -> int:
    num_steps = policy.max_steps if counted.steps else policy.min_steps
    return min(policy.max_depth, policy.max_steps) * num_steps * (policy.max_backtracks + 1 if counted.backtracks else 1)


def compile_grammar(bound: BoundProtocol, policy: Policy, start: State | None = None) -> str:
    """The language of `Automaton(bound, policy)` from `start` on, the answer included, the end of turn left out.

    The engine's stop token ends the answer: xgrammar masks it until the grammar may end.

    Args:
        start: where a continued sequence stands; None for an empty one.

    Returns:
        EBNF text for vLLM's `structured_outputs.grammar` with backend xgrammar (rules `Token(id)`,
        `ExcludeToken(ids)` and `rule[max_tokens=N]`).
    """
    # Section limits are a dict in the policy, hence the JSON text as the key of the cache.
    return _compile(bound, policy.model_dump_json(), start)


@lru_cache(maxsize=512)
def _compile(bound: BoundProtocol, policy_json: str, start: State | None) -> str:
    return _Compiler(bound, Policy.model_validate_json(policy_json)).compile(start)


class _Compiler:
    """Writes a rule for each state in which a step may begin and for each decision behind one."""

    def __init__(self, bound: BoundProtocol, policy: Policy) -> None:
        self._bound = bound
        self._policy = policy
        self._counted = counts_in_grammar(policy)
        kept = {
            "max_steps": policy.max_steps if self._counted.steps else UNCOUNTED,
            "max_backtracks": policy.max_backtracks if self._counted.backtracks else UNCOUNTED,
        }
        self._automaton = Automaton(bound, policy.model_copy(update=kept))
        self._rules: dict[str, str] = {}
        self._pending: list[tuple[str, State]] = []

    def compile(self, start: State | None) -> str:
        state = self._automaton.initial if start is None else self._normalised(start)
        root = self._rest(state)
        while self._pending:
            name, pending = self._pending.pop()
            self._rules[name] = self._decisions(pending) if name.startswith("decide") else self._step(pending)
        self._frame()
        return "\n".join([f"root ::= {root}", *(f"{name}{body}" for name, body in sorted(self._rules.items()))])

    def _rest(self, state: State) -> str:
        """What may follow from any state; the cold path, for roots."""
        bound = self._bound
        match state.phase:
            case "start":
                return f"{_token(bound.reasoning_start_id)} {self._open(replace(state, phase='step'))}"
            case "step":
                return self._open(state)
            case "section":
                return self._sections(state, state.section)
            case "text":
                limit = self._policy.section_limit(bound.sections[state.section].role)
                name = f"resumed_{limit - state.num_text}"
                self._text_rule(name, limit - state.num_text)
                body = f"{name}?" if state.num_text else name
                text = body if limit > state.num_text else ""
                return f"{text} {self._behind_text(state, state.section)}".strip()
            case "verdict":
                return self._behind_verdict(state, state.section)
            case "step_end":
                return f"{_token(bound.step_end_id)} {self._decide(replace(state, phase='decision'))}"
            case "decision":
                return self._decide(state)
            case "depth":
                return self._spell(state)
            case "answer":
                return "answer?" if state.num_text else "answer"
            case "done":
                return '""'

    def _open(self, state: State) -> str:
        return self._refer("step", state)

    def _decide(self, state: State) -> str:
        return self._refer("decide", state)

    def _refer(self, kind: str, state: State) -> str:
        state = self._normalised(state)
        verdict = f"_{state.verdict}" if kind == "decide" and state.verdict else ""
        name = f"{kind}_{state.depth}_{state.num_steps}_{state.num_backtracks}{verdict}"
        if name not in self._rules:
            self._rules[name] = ""
            self._pending.append((name, state))
        return name

    def _normalised(self, state: State) -> State:
        """States that differ in nothing the grammar counts share a rule."""
        return replace(
            state,
            num_steps=state.num_steps if self._counted.steps else min(state.num_steps, self._policy.min_steps),
            num_backtracks=state.num_backtracks if self._counted.backtracks else 0,
        )

    def _step(self, state: State) -> str:
        opened = self._automaton.advance(state, self._bound.step_start_id)
        return f" ::= {_token(self._bound.step_start_id)} {self._sections(opened, 0)}"

    def _sections(self, state: State, first: int) -> str:
        """From the marker of section `first` to the decision."""
        section = self._bound.sections[first]
        text = f"{_token(section.start_id)} {self._text(first)}"
        return f"{text} {self._behind_text(state, first)}"

    def _behind_text(self, state: State, index: int) -> str:
        section = self._bound.sections[index]
        if section.role == "verification" and self._bound.verified_id is not None:
            branches = " | ".join(
                f"{_token(token_id)} {self._behind_verdict(replace(state, verdict=verdict), index)}"
                for verdict, token_id in self._verdicts()
            )
            return f"({branches})"
        return self._behind_verdict(state, index)

    def _behind_verdict(self, state: State, index: int) -> str:
        end = _token(self._bound.sections[index].end_id)
        if index + 1 == len(self._bound.sections):
            return f"{end} {_token(self._bound.step_end_id)} {self._decide(replace(state, phase='decision'))}"
        # The sections behind the verdict are the same for every state: one rule, or the text doubles.
        if state.verdict is not None and index + 2 == len(self._bound.sections):
            tail = f"tail_{index + 1}"
            self._rules[tail] = (
                f" ::= {_token(self._bound.sections[index + 1].start_id)} {self._text(index + 1)} "
                f"{_token(self._bound.sections[index + 1].end_id)} {_token(self._bound.step_end_id)}"
            )
            return f"{end} {tail} {self._decide(replace(state, phase='decision'))}"
        return f"{end} {self._sections(state, index + 1)}"

    def _verdicts(self) -> list[tuple[Verdict, int]]:
        assert self._bound.verified_id is not None and self._bound.refuted_id is not None
        return [("verified", self._bound.verified_id), ("refuted", self._bound.refuted_id)]

    def _decisions(self, state: State) -> str:
        state = replace(state, phase="decision")
        bound = self._bound
        branches = []
        for token_id in sorted(self._automaton.allowed(state).ids):
            after = self._automaton.advance(state, token_id)
            if token_id == bound.reasoning_end_id:
                rest = "answer"
            elif token_id == bound.backtrack_id and after.phase == "depth":
                rest = self._spell(after)
            else:
                rest = self._open(after)
            branches.append(f"{_token(token_id)} {rest}")
        return f" ::= {' | '.join(branches)}"

    def _spell(self, state: State) -> str:
        """The depths that may be named from here, each with the step behind it."""
        branches = []
        for depth in self._automaton.legal_depths(state):
            ids = self._bound.depth_ids[depth]
            if ids[: len(state.spelled)] == state.spelled:
                spelled = " ".join(map(_token, ids[len(state.spelled) :]))
                after = replace(state, phase="step", depth=depth + 1, spelled=())
                branches.append(f"{spelled} {self._open(after)}".strip())
        return f"({' | '.join(branches)})"

    def _text(self, index: int) -> str:
        name = f"text_{index}"
        self._text_rule(name, self._policy.section_limit(self._bound.sections[index].role))
        return name

    def _text_rule(self, name: str, limit: int) -> None:
        self._rules[name] = f"[max_tokens={limit}] ::= {self._word()} {name} | {self._word()}"

    def _frame(self) -> None:
        self._rules["answer"] = f" ::= {self._word()} answer | {self._word()}"

    def _word(self) -> str:
        return f"ExcludeToken({_listed(sorted(self._bound.special_ids))})"


def _token(token_id: int) -> str:
    return f"Token({token_id})"


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
