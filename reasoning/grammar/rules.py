"""The automaton's rules as text. They are found by walking the automaton, so there is no second copy of them.

A rule stands for everything that may lead up to a place, such as the start of a step at one depth. Its alternatives are
ways: another place, and what stands between the two. That makes the grammar left-recursive, so that the parser's work
does not grow with the steps. With right recursion, llguidance gives up at the end of a reasoning of 500 steps
(https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md#recursive-rules).

Stretches that many ways share also become rules. So do the backtracks that may name a depth: each list is what turns
back at that depth, plus the list of the next deeper one.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from steiner.reasoning.automaton import Allowed, Automaton, Phase, State
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol

HEADER = '%llguidance {"no_forcing": true}\n'
"""First line of a grammar over ids.

Without this, where only one id can come, llguidance stores it with other bytes than the token's own. It then loses its
place when speculative decoding takes the token back (1.7.6; https://github.com/guidance-ai/llguidance/pull/364).
"""
START = "start"
"""The rule that a whole sequence must match."""


def in_a_row(token_ids: Iterable[int]) -> str:
    """These ids, one after the other."""
    return " ".join(f"<[{token_id}]>" for token_id in token_ids)


def any_but(token_ids: Iterable[int], vocab_size: int) -> str:
    """One id below `vocab_size` that is none of these.

    Written as inclusive ranges of what may come: `<[^…]>` would also allow the padding rows after the vocabulary.
    """
    ranges, first = [], 0
    for excluded in (*sorted(i for i in token_ids if i < vocab_size), vocab_size):
        if first < excluded:
            ranges.append(f"{first}-{excluded - 1}")
        first = excluded + 1
    return f"<[{','.join(ranges)}]>"


_NAME = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True, slots=True)
class Counted:
    """Which counters the grammar itself keeps."""

    steps: bool
    backtracks: bool


@dataclass(frozen=True, slots=True)
class Way:
    """What stands between a place and the next one.

    Attributes:
        symbols: of the grammar.
        place: name of the next place's rule; START at the very end.
        state: at the next place.
    """

    symbols: str
    place: str
    state: State


class GrammarRules:
    """The rules under one policy, written when a text first needs them and kept for later texts.

    Args:
        policy: without the limits that are not counted.
    """

    def __init__(self, bound: BoundProtocol, policy: Policy, counted: Counted) -> None:
        self.automaton = Automaton(bound, policy)
        self._counted = counted
        self._stretches: dict[str, str] = {}
        self.stretch("any", any_but(bound.special_ids, bound.vocab_size))
        self._part_names: dict[str, str] = {}
        self._ways: dict[str, list[Way]] = {}
        self._lock = threading.Lock()

    def text(self, start: State | None) -> str:
        """The grammar from a state on; None for the beginning."""
        with self._lock:
            places = _Places(self, self.automaton.initial if start is None else start)
            rules = dict(places.rules())
            lines = [f"{name}: {body}\n" for name, body in rules.items()]
            lines += [f"{name}{declared}\n" for name, declared in self._used_by(rules)]
            return f"{HEADER}{''.join(lines)}"

    def ways(self, place: str, state: State) -> list[Way]:
        """All ways from the start of a step to the next places."""
        if place not in self._ways:
            self._ways[place] = [replace(way, symbols=self._part(way.symbols)) for way in self.walk(state)]
        return self._ways[place]

    def walk(self, state: State, walked: str = "") -> Iterator[Way]:
        """The ways from a state to the next places.

        Args:
            walked: symbols before the state.
        """
        symbols = [walked] if walked else []
        has_text = False
        while state.phase != "done":
            place = self.place(state) if symbols else None
            if place is not None:
                yield Way(" ".join(symbols), place, state)
                return
            allowed = self.automaton.allowed(state)
            has_text = allowed.text
            if has_text:
                symbols.append(self.text_rule(state, is_begun=bool(allowed.ids)))
                room = self.automaton.text_room(state) if state.phase == "text" else None
                state = replace(state, num_text=state.num_text + (room or 1))
                allowed = Allowed(self._ends_of_text(state))
            if len(allowed.ids) > 1:
                break
            (token_id,) = allowed.ids
            symbols += filter(None, [self.symbol(token_id, state, has_text=has_text)])
            state = self.automaton.advance(state, token_id)
        else:
            yield Way(" ".join(symbols) or '""', START, state)
            return
        walked = self._part(" ".join(symbols))
        for token_id in sorted(allowed.ids):
            behind = f"{walked} {self.symbol(token_id, state, has_text=has_text)}".strip()
            yield from self.walk(self.automaton.advance(state, token_id), behind)

    def text_rule(self, state: State, *, is_begun: bool) -> str:
        """Tokens of text: at least one, unless the text has begun."""
        room = self.automaton.text_room(state) if state.phase == "text" else None
        if room is None:
            return "any*" if is_begun else "any+"
        name = self.stretch(f"text_{room}", f"any{{1,{room}}}")
        return f"{name}?" if is_begun else name

    def symbol(self, token_id: int, state: State, *, has_text: bool) -> str:
        """What stands for an id that is no text.

        Args:
            state: in front of it.
            has_text: whether `text_rule` has written the text right before it.
        """
        return in_a_row([token_id])

    def stretch(self, name: str, body: str, attributes: str = "") -> str:
        """The name of a rule or terminal that texts have where they use it."""
        self._stretches[name] = f"{attributes}: {body}"
        return name

    def place(self, state: State) -> str | None:
        """The rule for what leads up to a step that has begun, or to the depth that a backtrack names.

        States that differ in no counter share it.
        """
        # Of the step, only its start is written, if that has a marker.
        begun: Phase = "section" if self.automaton.bound.sections[0].start_id is not None else "text"
        if (state.phase, state.section, state.num_text, state.closing) == (begun, 0, 0, False):
            kind = "step"
        elif state.phase == "depth" and not (state.spelled or state.closing):
            kind = "back"
        else:
            return None
        min_steps = self.automaton.policy.min_steps
        counts = [state.depth]
        if self._counted.steps or min_steps > 1:
            counts.append(state.num_steps if self._counted.steps else min(state.num_steps, min_steps))
        if self._counted.backtracks:
            counts.append(state.num_backtracks)
        return "_".join(map(str, (kind, *counts)))

    def _ends_of_text(self, state: State) -> frozenset[int]:
        """What may end the text of the open section or the answer."""
        return (
            self.automaton.ends_of_text(state) if state.phase == "text" else self.automaton.allowed(state).ids
        )

    def _part(self, symbols: str) -> str:
        """A stretch as a rule, because many ways go through it."""
        if " " not in symbols:
            return symbols
        name = self._part_names.setdefault(symbols, f"part_{len(self._part_names)}")
        return self.stretch(name, symbols)

    def _used_by(self, rules: dict[str, str]) -> Iterator[tuple[str, str]]:
        """The stretches that these rules lead through."""
        found, waiting = set(rules), list(rules.values())
        while waiting:
            for name in _NAME.findall(waiting.pop()):
                if name not in found and name in self._stretches:
                    found.add(name)
                    waiting.append(self._stretches[name])
                    yield name, self._stretches[name]


class _Places:
    """The places reachable from a state, and the ways that lead there."""

    def __init__(self, rules: GrammarRules, start: State) -> None:
        self._rules = rules
        self._into: dict[str, list[str]] = {}
        self._ends: defaultdict[str, list[str]] = defaultdict(list)
        self._unexplored: list[Way] = []
        self._follow("", rules.walk(start))
        while self._unexplored:
            begun = self._unexplored.pop()
            self._follow(begun.place, rules.ways(begun.place, begun.state))

    def rules(self) -> Iterator[tuple[str, str]]:
        """Names and bodies, the whole first."""
        ends: list[str] = []
        last: dict[str, str] = {}
        for symbols, places in self._ends.items():
            if len(places) > 1:
                name = f"last_{len(last)}"
                last[name] = " | ".join(places)
                ends.append(f"{name} {symbols}")
            else:
                ends.append(f"{places[0]} {symbols}".strip())
        yield START, " | ".join(ends)
        yield from last.items()
        for place, ways in self._into.items():
            yield place, " | ".join(dict.fromkeys(ways))

    def _follow(self, place: str, ways: Iterable[Way]) -> None:
        for way in ways:
            if way.place == START:
                self._ends[way.symbols].append(place)
            else:
                self._arrive(replace(way, symbols=f"{place} {way.symbols}".strip()))

    def _arrive(self, way: Way) -> None:
        is_new = way.place not in self._into
        self._into.setdefault(way.place, []).append(way.symbols)
        if is_new and way.state.phase == "depth":
            self._go_back(way.place, way.state)
        elif is_new:
            self._unexplored.append(way)

    def _go_back(self, place: str, state: State) -> None:
        """From backtracks that may name any depth above theirs: the deepest one, and the list for one depth less."""
        automaton = self._rules.automaton
        ids, behind, walked = automaton.bound.depth_ids[automaton.legal_depths(state)[-1]], state, [place]
        for token_id in ids:
            walked.append(self._rules.symbol(token_id, behind, has_text=False))
            behind = automaton.advance(behind, token_id)
        self._follow("", self._rules.walk(behind, " ".join(walked)))
        if state.depth > 1:
            shorter = replace(state, depth=state.depth - 1)
            self._arrive(Way(place, self._rules.place(shorter) or "", shorter))
