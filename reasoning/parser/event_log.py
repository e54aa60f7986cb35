"""Numbers the events of one stream and holds them until they are taken."""

from typing import Any, TypeVar

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.protocol import SectionRole
from steiner.reasoning.steps import Step
from steiner.reasoning.text_markers import FIRST_ID

EventType = TypeVar("EventType", bound=events.Numbered)


class EventLog:
    """The one counter of a stream.

    Attributes:
        num_violations: violations so far.
    """

    def __init__(self) -> None:
        self.num_violations = 0
        self._last_number = 0
        self._said: list[Event] = []

    def number(self, kind: type[EventType], /, **fields: Any) -> EventType:
        """An event with the next number, for the caller to send."""
        self._last_number += 1
        return kind(sequence_number=self._last_number, **fields)

    def say(self, kind: type[EventType], /, **fields: Any) -> None:
        """Number an event and hold it."""
        self._said.append(self.number(kind, **fields))  # type: ignore[arg-type]

    def say_delta(self, step: int, role: SectionRole, text: str) -> None:
        """Emit more text of a section. Most events are this one, so it takes the shortest way."""
        self._last_number += 1
        delta = events.SectionDelta(sequence_number=self._last_number, step=step, role=role, text=text)
        self._said.append(delta)

    def say_done(self, step: Step) -> None:
        """Emit that a step ended."""
        self.say(
            events.StepDone,
            step=step.id,
            verdict=step.verdict,
            repeats=step.repeats,
            decision=step.decision,
            interrupted=step.interrupted,
            num_tokens=step.num_tokens,
        )

    def violate(self, detail: str, token_id: int | None, text: str = "") -> None:
        """Emit that the protocol was broken; a marker of text has no token's id."""
        self.num_violations += 1
        told = None if token_id is not None and token_id >= FIRST_ID else token_id
        self.say(events.Violation, detail=detail, token_id=told, text=text)

    def take(self) -> list[Event]:
        """The events since the last call."""
        taken, self._said = self._said, []
        return taken
