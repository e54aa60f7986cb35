"""Whether any value could fit schemas, where a wrong no would do harm.

The normal form holds what can be written, which is less than what fits: an answer is one of its values, and that is
enough. It is not enough to see that no value fits two branches of a `oneOf`: there everything counts that fits for any
reader.
"""

from __future__ import annotations

from math import ceil, floor

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import key_of
from steiner.server.intake.json_schema.lexemes import is_empty, string_lexeme
from steiner.server.intake.json_schema.membership import Membership
from steiner.server.intake.json_schema.patterns import ANYTHING, Condition
from steiner.server.intake.json_schema.rules import NodeSet, nodes_of
from steiner.server.intake.json_schema.string_content import ANY_CHARACTER
from steiner.server.intake.json_schema.ways import Ways

MAX_LENGTH = 1_000
"""Of strings whose lengths are compared with patterns."""


class Possibility:
    """Answers that for the schemas of one document."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._membership = Membership(ways, widest=True)
        self._known: dict[NodeSet, bool] = {}

    def may_fit(self, nodes: NodeSet) -> bool:
        """False where surely nothing does."""
        if nodes not in self._known:
            # What comes back to itself may fit, until it is known.
            self._known[nodes] = True
            try:
                self._known[nodes] = any(self._may_be(facts) for facts in self._ways.of(nodes))
            except SchemaRefusal:
                self._ways.check_time(min((node.pointer for node in nodes), default=""))
        return self._known[nodes]

    def _may_be(self, facts: Facts) -> bool:
        if facts.enum is not None:
            return any(self._membership.admits_listed(facts, value) for value in facts.enum)
        return any(kind in facts.refused or self._may_be_of(facts, kind) for kind in facts.kinds)

    def _may_be_of(self, facts: Facts, kind: str) -> bool:
        match kind:
            case "null":
                return key_of(None) not in facts.excluded
            case "boolean":
                return any(key_of(value) not in facts.excluded for value in (True, False))
            case "integer":
                return _may_be_integer(facts)
            case "fraction":
                lower, upper, step = facts.lower, facts.upper, facts.step()
                is_open = lower is None or upper is None or lower <= upper
                return is_open and (step is None or step.denominator > 1)
            case "string":
                return _may_be_string(facts)
            case "array":
                return self._may_be_array(facts)
            case _:
                return self._may_be_object(facts)

    def _may_be_array(self, facts: Facts) -> bool:
        if facts.max_items is not None and facts.max_items < facts.min_items:
            return False
        rules = [rule for rule in facts.arrays if rule.is_exact]
        num_places = min(facts.min_items, max((len(rule.prefix) for rule in rules), default=0) + 1)
        return all(self.may_fit(nodes_of(rule.at(index) for rule in rules)) for index in range(num_places))

    def _may_be_object(self, facts: Facts) -> bool:
        if facts.max_members is not None and facts.max_members < max(facts.min_members, len(facts.required)):
            return False
        return all(self.may_fit(self._membership.schemas_of(facts, name)) for name in facts.required)


def _may_be_integer(facts: Facts) -> bool:
    if facts.lower is None or facts.upper is None:
        return True
    step = max(facts.step() or 1, 1)
    low, high = ceil(facts.lower / step), floor(facts.upper / step)
    low += facts.lower_excluded and low * step == facts.lower
    high -= facts.upper_excluded and high * step == facts.upper
    if high - low > len(facts.excluded):
        return True
    return any(key_of(int(number * step)) not in facts.excluded for number in range(low, high + 1))


def _may_be_string(facts: Facts) -> bool:
    most = facts.max_length
    if most is not None and most < facts.min_length:
        return False
    conditions = [*facts.string_conditions(widest=True), *facts.excluded_strings()]
    if facts.min_length <= MAX_LENGTH and (facts.min_length or most is not None):
        upper = "" if most is None or most > MAX_LENGTH else most
        conditions.append(Condition(f"(?:{ANY_CHARACTER}){{{facts.min_length},{upper}}}"))
    if not conditions:
        return True
    try:
        return not is_empty(string_lexeme((Condition(ANYTHING), *conditions)))
    except ValueError:
        return True
