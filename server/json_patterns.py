"""Which patterns of JSON Schema xgrammar 0.2.8 draws strings from that are no JSON.

Most patterns become a `Regex(..., json_string=true)`, which keeps to what may stand in a JSON string as it is. Where
that leaves nothing (`^a"b$`) or is not offered, xgrammar falls back on rules of literals and character classes,
quotation marks among them. So the rules of each pattern alone are read: their literals and classes must be free of
what JSON escapes. A rule that cannot be read counts as unfit.

Imports xgrammar late, as the engine imports vllm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

FRAME = r'root ::= (("\"" root_1 "\""))'
REGEX = re.compile(r'Regex\("(?:[^"\\]|\\.)*", json_string=true\)', re.DOTALL)
TERMINAL = re.compile(r'"(?P<literal>(?:[^"\\]|\\.)*)"|\[(?P<not>\^?)(?P<set>(?:[^\]\\]|\\.)*)\]', re.DOTALL)
STRUCTURE = re.compile(r"[\w\s:=|(){},*+?-]*")
CHARACTER = re.compile(
    r"\\(?:x(?P<x>[\da-fA-F]{2})|u(?P<u>[\da-fA-F]{4})|U(?P<U>[\da-fA-F]{8})|(?P<escaped>.))|.", re.DOTALL
)
NAMED = {"n": 0x0A, "r": 0x0D, "t": 0x09, "0": 0, "a": 7, "b": 8, "f": 0x0C, "v": 0x0B, "e": 0x1B}
ESCAPED_BY_JSON = frozenset(range(0x20)) | {ord('"'), ord("\\")}


def patterns_in(schema: object) -> Iterator[str]:
    """The patterns of a schema, wherever they are nested: those of strings and those of the names of properties."""
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as found:
                if isinstance(pattern := found.get("pattern"), str):
                    yield pattern
                if isinstance(of_names := found.get("patternProperties"), dict):
                    yield from of_names
                waiting += found.values()
            case list() as found:
                waiting += found


def fits_json(pattern: str) -> bool:
    """Whether all strings that xgrammar draws from a pattern are JSON.

    Raises:
        RuntimeError: xgrammar cannot read the pattern.
    """
    import xgrammar

    schema = json.dumps({"type": "string", "pattern": pattern})
    rules = str(xgrammar.Grammar.from_json_schema(schema)).strip().split("\n")
    return FRAME in rules and all(_is_free(rule) for rule in rules if _is_of_pattern(rule))


def _is_of_pattern(rule: str) -> bool:
    # The rules of any JSON are always there.
    return rule != FRAME and not rule.startswith("basic_")


def _is_free(rule: str) -> bool:
    """Whether no terminal of a rule may be a character that JSON escapes."""
    rest = REGEX.sub("", rule)
    return (
        all(_fits(terminal) for terminal in TERMINAL.finditer(rest))
        and STRUCTURE.fullmatch(TERMINAL.sub("", rest)) is not None
    )


def _fits(terminal: re.Match[str]) -> bool:
    if (literal := terminal["literal"]) is not None:
        codes = [_code(one) for one in CHARACTER.finditer(literal)]
        return not any(code is None or code in ESCAPED_BY_JSON for code in codes)
    ranges = _ranges(terminal["set"])
    if ranges is None:
        return False
    named = {code for code in ESCAPED_BY_JSON if any(low <= code <= high for low, high in ranges)}
    return named == ESCAPED_BY_JSON if terminal["not"] else not named


def _ranges(class_text: str) -> list[tuple[int, int]] | None:
    """First and last code of each range; None where it cannot be read."""
    found = list(CHARACTER.finditer(class_text))
    codes = [_code(one) for one in found]
    ranges, index = list[tuple[int, int]](), 0
    while index < len(found):
        is_range = index + 2 < len(found) and found[index + 1][0] == "-"
        low, high = codes[index], codes[index + 2 if is_range else index]
        if low is None or high is None:
            return None
        ranges.append((low, high))
        index += 3 if is_range else 1
    return ranges


def _code(character: re.Match[str]) -> int | None:
    """None for an escape that is not known."""
    digits = character["x"] or character["u"] or character["U"]
    if digits is not None:
        return int(digits, 16)
    escaped = character["escaped"]
    if escaped is None:
        return ord(character[0])
    return NAMED.get(escaped) if escaped.isalnum() else ord(escaped)
