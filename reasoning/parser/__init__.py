"""From token ids to events, one at a time."""

from steiner.reasoning.parser.parser import Parser

__all__ = ["Parser"]
