r"""What stands between the quotation marks of a JSON string, as regular expressions.

Wherever a string has to fit or not to fit something, it has one spelling only: characters as they are, and those that
JSON escapes by their shortest escape (`\n`, `\u001f`). Otherwise a pattern could be dodged by spelling a letter as
`\u0061`.

RFC 8259, section 7: https://www.rfc-editor.org/rfc/rfc8259#section-7
"""

from __future__ import annotations

import json

from steiner.server.intake.json_schema.code_points import (
    ALL,
    Ranges,
    character_class,
    escaped,
    has,
    ranges_of,
    without,
)

ESCAPED = (*range(0x20), ord('"'), ord("\\"))
"""Code points that JSON strings escape."""


def one_of(ranges: Ranges) -> str:
    """A character of the set, in its one spelling; a regular expression that nothing fits for an empty set."""
    plain = without(ranges, ranges_of((code, code) for code in ESCAPED))
    choices = [character_class(plain)] if plain else []
    choices += [content_of(chr(code)) for code in ESCAPED if has(ranges, code)]
    if not choices:
        return r"[a&&b]"
    # An escape is several characters: a repetition behind it is of all of them.
    return choices[0] if plain and len(choices) == 1 else f"(?:{'|'.join(choices)})"


def json_content(text: str) -> str:
    """A text in its one spelling."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def content_of(text: str) -> str:
    """The same as a regular expression."""
    return escaped(json_content(text))


ANY_CHARACTER = one_of(ALL)
"""In its one spelling."""
_PLAIN = character_class(without(ALL, ranges_of((code, code) for code in ESCAPED)))
_SURROGATE_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_BASIC_ESCAPE = r"\\u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})"
FREE_CHARACTER = rf'(?:{_PLAIN}|\\["\\\x{{2f}}bfnrt]|{_BASIC_ESCAPE}|{_SURROGATE_PAIR})'
"""In any spelling that JSON has; each is one character to who counts them."""


def quoted(content: str) -> str:
    """The whole string, quotation marks included."""
    return f'"(?:{content})"'
