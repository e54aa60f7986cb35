"""A generation whose markers are text: tokens become units, and a cut may fall inside of a token.

Interventions look at units. A cut keeps the tokens that lie before it as a whole. Of a token that lies on both sides,
the part before the cut is written anew and counts as forced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from steiner.reasoning.answer import AnswerToken
from steiner.reasoning.events import EndedBy, Event
from steiner.reasoning.parser.scanner import SPACE, Scanner, Unit
from steiner.reasoning.progress import Progress
from steiner.reasoning.text_markers import TextMarkers
from steiner.server.conductor.interventions.base import Cut
from steiner.server.conductor.interventions.selection import Interventions
from steiner.server.engine.base import TokenLogprobs, TokenUpdate

Spell = Callable[[int, TokenLogprobs, int | None], AnswerToken]


class FeedUnits(Protocol):
    """Passes units on to the parser."""

    def __call__(
        self,
        units: Sequence[Unit],
        ended_by: EndedBy = ...,
        *,
        forced: bool = ...,
        logprobs: Sequence[AnswerToken] | None = ...,
    ) -> list[Event]: ...


class TextSequence:
    """The tokens of one generation, and what was found in them.

    Args:
        scanner: the parser's.
        feed: passes units on to the parser.
        is_stopped: whether a stop string or token has ended the answer; None where nothing can.
        spell: a token of the answer with its log probabilities.

    Attributes:
        token_ids: all that was taken and not dropped.
    """

    def __init__(
        self,
        markers: TextMarkers,
        scanner: Scanner,
        progress: Progress,
        interventions: Interventions,
        feed: FeedUnits,
        is_stopped: Callable[[], bool] | None,
        spell: Spell | None,
    ) -> None:
        self.token_ids: list[int] = []
        self._markers = markers
        self._scanner = scanner
        self._progress = progress
        self._interventions = interventions
        self._feed = feed
        self._is_stopped = is_stopped
        self._spell = spell
        self._units: list[Unit] = []
        self._ended_by: EndedBy = "model"
        self._told: deque[tuple[int, TokenLogprobs]] = deque()
        self._logprobs: list[AnswerToken] = []
        self._last_id: int | None = None

    def accept(self, update: TokenUpdate) -> tuple[list[Event], Cut | None]:
        """Take the tokens of an update up to the first place where an intervention cuts."""
        bound = self._progress.bound
        ids = list(update.token_ids)
        known = (bound.end_of_turn_id, bound.reasoning_end_id)
        if update.finish_reason == "stop" and ids and ids[-1] not in known:
            # Another of the checkpoint's stop tokens: it ends the turn, and is not part of its text.
            ids.pop()
        events: list[Event] = []
        cut: Cut | None = None
        self._ended_by = "model"
        for index, token_id in enumerate(ids):
            if update.logprobs is not None and self._spell is not None:
                self._told.append((token_id, update.logprobs[index]))
            self.token_ids.append(token_id)
            self._scanner.push(token_id)
            cut = self._take_units(events)
            if cut is not None or (self._is_stopped is not None and self._is_stopped()):
                break
        events += self._pass_on()
        return events, cut

    def rewrite(self) -> tuple[int, int]:
        """Drop what lies behind the last unit that was taken.

        Returns:
            How many tokens were written anew, and how many more those are than the ones that gave way.
        """
        num_dropped, num_cut, remnant = self._scanner.cut()
        self._told.clear()
        if num_dropped:
            del self.token_ids[-num_dropped:]
        ids = self._markers.encode(remnant)
        self.token_ids += ids
        num_more = len(ids) - num_cut
        if num_more:
            self._progress.take_space(num_more)
        return len(ids), num_more

    def force(self, marker_id: int) -> Unit:
        """Write a marker."""
        unit = self._scanner.force(marker_id)
        self.token_ids += unit.token_ids
        self._progress.take(marker_id, forced=True, num_tokens=len(unit.token_ids))
        return unit

    def _take_units(self, events: list[Event]) -> Cut | None:
        """Take all units that are certain, up to a cut."""
        scanner, progress, interventions = self._scanner, self._progress, self._interventions
        while (unit := scanner.peek()) is not None:
            if unit.id in interventions.judging_ids:
                events += self._pass_on()
            num_tokens = len(unit.token_ids) + self._num_more(scanner.remnant)
            cut = interventions.before(progress, unit.id, num_tokens)
            if cut is not None:
                return cut
            if unit.id == progress.bound.reasoning_end_id and progress.phase == "reasoning":
                self._ended_by = interventions.ended_by(progress)
            self._take(unit)
            cut = interventions.after(progress, unit.id)
            if cut is not None:
                self._take_space()
                return cut
            if self._is_stopped is not None and progress.phase == "answer":
                events += self._pass_on()
                if self._is_stopped():
                    return None
        return None

    def _take(self, unit: Unit) -> None:
        self._scanner.take()
        self._count(unit)

    def _count(self, unit: Unit) -> None:
        progress = self._progress
        if unit.id == SPACE:
            progress.take_space(len(unit.token_ids))
        else:
            progress.take(unit.id, num_tokens=len(unit.token_ids))
        self._units.append(unit)
        for _ in unit.token_ids if self._told else ():
            token_id, told = self._told.popleft()
            assert self._spell is not None
            self._logprobs.append(self._spell(token_id, told, self._last_id))
            self._last_id = token_id

    def _take_space(self) -> None:
        """Take the layout behind a marker with it, or a token that has both would be cut in two."""
        unit = self._scanner.peek()
        if unit is None:
            unit = self._scanner.take_layout()
            if unit is not None:
                self._count(unit)
        elif unit.id == SPACE:
            self._take(unit)

    def _num_more(self, remnant: str) -> int:
        return len(self._markers.encode(remnant)) - 1 if remnant else 0

    def _pass_on(self) -> list[Event]:
        if not self._units:
            return []
        units, self._units = self._units, []
        logprobs, self._logprobs = self._logprobs, []
        num_tokens = sum(len(unit.token_ids) for unit in units)
        told = logprobs if len(logprobs) == num_tokens and logprobs else None
        return self._feed(units, self._ended_by, logprobs=told)
