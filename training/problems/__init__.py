"""The task families by name."""

from typing import Any

from steiner.reasoning.errors import MalformedProblemError
from steiner.training.problems.base import Family
from steiner.training.problems.countdown import Countdown
from steiner.training.problems.knights import Knights
from steiner.training.problems.routes import Routes

FAMILIES: dict[str, Family[Any, Any, Any]] = {
    family.name: family for family in (Countdown(), Routes(), Knights())
}

__all__ = ["FAMILIES", "Family", "MalformedProblemError"]
