"""Reasoning as plain text, for clients that know nothing about steps."""

from __future__ import annotations

from steiner.reasoning.events import Event


def back_text(to_depth: int | None) -> str:
    """How the text says that the search turned back; not all protocols know how far."""
    return "[back]" if to_depth is None else f"[back to depth {to_depth}]"


class ReasoningText:
    """Renders events as they come; the pieces joined are the text of the whole.

    Each section has its own lines, and an empty line separates steps. Verdicts and backtracks, which the model
    writes as tokens, are put in brackets.
    """

    def __init__(self) -> None:
        self._separator = ""

    def feed(self, event: Event) -> str:
        """Text this event adds; "" for most."""
        match event.type:
            case "section.delta":
                return event.text
            case "section.started":
                return self._separate("\n")
            case "step.started":
                separator = self._separate("\n\n")
                self._separator = ""
                return separator
            case "step.verified":
                return f" [{event.verdict}]"
            case "backtracked":
                return self._separate("\n") + back_text(event.to_depth)
            case _:
                return ""

    def _separate(self, separator: str) -> str:
        # Nothing precedes the first piece, and a section's line break follows a step's only once.
        given = separator if self._separator else ""
        self._separator = separator
        return given
