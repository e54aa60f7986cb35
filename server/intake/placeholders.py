"""A caller's texts, taken out before a chat template renders and put back afterwards.

A template writes texts as they are, or as JSON (`tojson` on tools and arguments), which escapes them. So each
placeholder holds a quotation mark. The backslashes before it in the result show how often the text has to be
escaped when it is put back.
"""

from __future__ import annotations

import json
import re
from typing import Any

PLACEHOLDER = re.compile('\ue9f0(\\d+)(\\\\*)"\ue9f1')
TRACES = re.compile("\ue9f0|\ue9f1|\\\\u[eE]9[fF][01]")
LEVELS = {0: 0, 1: 1, 3: 2}
"""How often a text was escaped, by the number of backslashes."""
KEYWORDS = frozenset(
    {
        *("function", "name", "description", "parameters", "arguments", "type", "properties", "required"),
        *("items", "enum", "const", "default", "format", "title", "anyOf", "oneOf", "allOf", "$ref", "$defs"),
        *("additionalProperties", "minimum", "maximum"),
        *("string", "number", "integer", "boolean", "array", "object", "null"),
    }
)
"""Words of tools and JSON Schema that templates look for. No caller chooses them, so they need no placeholder."""


def hidden_in(text: str) -> set[int]:
    """Numbers of the texts whose placeholders a text has, however they are escaped."""
    return {int(found[1]) for found in PLACEHOLDER.finditer(text)}


class LostText(Exception):
    """The template changed a text in a way that cannot be repeated."""


class Placeholders:
    """The texts of one conversation."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._unquoted: set[int] = set()

    def hide(self, text: str) -> str:
        """A placeholder for a text. White space around the text stays outside, so that templates that trim still do."""
        core = text.strip()
        if not core:
            return text
        left, right = text.split(core, 1) if core != text else ("", "")
        self._texts.append(core)
        return f'{left}\ue9f0{len(self._texts) - 1}"\ue9f1{right}'

    def hide_unquoted(self, text: str) -> str:
        """A placeholder for a text that is put back unchanged even if the template writes it as a JSON string."""
        self._unquoted.add(len(self._texts))
        return self.hide(text.strip())

    def hide_all(self, value: Any) -> Any:
        """The same JSON value with every text hidden, including keys other than KEYWORDS."""
        match value:
            case str():
                return value if value in KEYWORDS else self.hide(value)
            case dict():
                return {self.hide_all(key): self.hide_all(one) for key, one in value.items()}
            case list():
                return [self.hide_all(one) for one in value]
            case _:
                return value

    def restore(self, rendered: str) -> list[str]:
        """Parts of the rendered text: the template's own words at even places, callers' texts at odd ones.

        Raises:
            LostText: a placeholder has a form from which the form of its text cannot be told.
        """
        parts: list[str] = []
        position = 0
        for found in PLACEHOLDER.finditer(rendered):
            level = LEVELS.get(len(found[2]))
            if level is None:
                raise LostText
            number = int(found[1])
            text = self._texts[number]
            start, end = found.span()
            if (
                level == 1
                and number in self._unquoted
                and rendered[start - 1] == rendered[end : end + 1] == '"'
            ):
                start, end, level = start - 1, end + 1, 0
            for _ in range(level):
                text = json.dumps(text, ensure_ascii=False)[1:-1]
            parts += [rendered[position:start], text]
            position = end
        parts.append(rendered[position:])
        if any(TRACES.search(own) for own in parts[::2]):
            raise LostText
        return parts
