"""The task families' rules by name."""

from typing import Any

from steiner.reasoning.tasks.base import Rules
from steiner.reasoning.tasks.countdown import CountdownRules
from steiner.reasoning.tasks.knights import KnightsRules
from steiner.reasoning.tasks.routes import RoutesRules

TASKS: dict[str, Rules[Any, Any, Any]] = {
    rules.name: rules for rules in (CountdownRules(), RoutesRules(), KnightsRules())
}
