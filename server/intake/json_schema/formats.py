"""Formats of strings as regular expressions; each fits a subset of what its standard allows, and nothing else.

https://json-schema.org/draft/2020-12/json-schema-validation#name-defined-formats
"""

from __future__ import annotations

from steiner.server.intake.json_schema.patterns import Condition, conditions_of

WITHOUT_RULES = frozenset({"password", "binary", "path", "float", "double", "decimal", "char", "textarea"})
"""Formats that name a use and rule out no string or number."""
INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
"""OpenAPI's formats of integers, by their bounds: https://spec.openapis.org/registry/format/"""

_DAY = "(((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)-(0[1-9]|[12][0-9]|30))|(02-(0[1-9]|1[0-9]|2[0-8])))"
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][48]|[13579][26]|[2468]0)00)"
_DATE = f"({_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
# Labels have 63 and names 253 characters at most, which these stay below. Two hyphens in a row are left out: behind
# two letters ("xn--") they stand for letters beyond ASCII, and not all of those are allowed.
_LABEL = "[a-z0-9]{1,15}(-[a-z0-9]{1,15}){0,3}"
_HOST = rf"{_LABEL}(\.{_LABEL}){{0,2}}"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(\.{_BYTE}){{3}}"
_GROUP = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    [
        f"({_GROUP}:){{7}}{_GROUP}",
        *(
            f"({_GROUP}(:{_GROUP}){{0,{before - 1}}})?::({_GROUP}(:{_GROUP}){{0,{6 - before}}})?"
            for before in range(1, 7)
        ),
    ]
)
_ESCAPED_BYTE = "%[0-9A-F]{2}"
_PATH_CHARACTER = f"([A-Za-z0-9._~!$&'()*+,;=:@-]|{_ESCAPED_BYTE})"
_URI = (
    rf"[a-z][a-z0-9+.-]*://{_HOST}\.[a-z]{{2,10}}(:[1-9][0-9]{{0,3}})?(/{_PATH_CHARACTER}*)*"
    rf"(\?({_PATH_CHARACTER}|/)*)?(#({_PATH_CHARACTER}|/)*)?"
)
_WORD = "[A-Za-z0-9_+-]"
# The part in front of the sign has 64 characters at most.
_LOCAL = rf"({_WORD}{{1,64}}|{_WORD}{{1,31}}\.{_WORD}{{1,32}}|{_WORD}{{1,20}}(\.{_WORD}{{1,20}}){{2}})"
_EMAIL = rf"{_LOCAL}@{_HOST}\.[a-z]{{2,10}}"
_PATTERNS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": (
        "P(([0-9]+D|[0-9]+M([0-9]+D)?|[0-9]+Y([0-9]+M([0-9]+D)?)?)"
        "(T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S))?"
        "|T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)|[0-9]+W)"
    ),
    "email": _EMAIL,
    "hostname": _HOST,
    "ipv4": _IPV4,
    "ipv6": f"({_IPV6})",
    "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "uri": _URI,
    "uri-reference": _URI,
    "iri": _URI,
    "iri-reference": _URI,
    "idn-email": _EMAIL,
    "idn-hostname": _HOST,
    "json-pointer": "(/([^/~\\x00-\\x1f]|~[01])*)*",
    "relative-json-pointer": "(0|[1-9][0-9]*)(#|(/([^/~\\x00-\\x1f]|~[01])*)*)",
    "byte": "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?",
    "date-time-local": rf"{_DATE}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?",
    "time-local": r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?",
}
NAMES = tuple(sorted(_PATTERNS))
"""Formats of strings that are enforced."""


def format_conditions(name: str) -> tuple[Condition, ...] | None:
    """What a format asks of a string; None for one that is not known."""
    pattern = _PATTERNS.get(name)
    return None if pattern is None else conditions_of(f"^({pattern})$")
