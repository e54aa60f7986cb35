"""Formats of strings: what can be written is read by the parsers that the standard library and others have."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import random
import re
import uuid
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import TypeAdapter

from steiner.server.intake.json_schema.formats import INTEGERS, NAMES, WITHOUT_RULES

NUM_WALKS = 40


def date_time(text: str) -> None:
    assert datetime.datetime.fromisoformat(text).tzinfo is not None
    TypeAdapter(datetime.datetime).validate_python(text)


def host(text: str) -> None:
    assert len(text) <= 253
    for label in text.split("."):
        assert re.fullmatch("(?!-)[a-z0-9-]{1,63}(?<!-)", label)


def email(text: str) -> None:
    assert parseaddr(text)[1] == text
    local, _, domain = text.rpartition("@")
    assert 1 <= len(local) <= 64 or "." in local
    host(domain)


def uri(text: str) -> None:
    parts = urlsplit(text)
    assert parts.scheme
    host(parts.hostname or "")
    assert parts.port is None or 1 <= parts.port <= 65535


def pointer(text: str) -> None:
    assert re.fullmatch(r"(/([^/~]|~[01])*)*", text)


def relative_pointer(text: str) -> None:
    number = re.match(r"0|[1-9]\d*", text)
    assert number is not None
    rest = text[number.end() :]
    assert rest == "#" or re.fullmatch(r"(/([^/~]|~[01])*)*", rest) is not None


READERS: dict[str, Callable[[str], Any]] = {
    "date": datetime.date.fromisoformat,
    "time": lambda text: TypeAdapter(datetime.time).validate_python(text),
    "date-time": date_time,
    "duration": lambda text: re.fullmatch(r"P(?!$)(\d+[YMWD])*(T(?=\d)(\d+[HMS])+)?", text).group(),
    "email": email,
    "idn-email": email,
    "hostname": host,
    "idn-hostname": host,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uuid": uuid.UUID,
    "uri": uri,
    "iri": uri,
    "uri-reference": uri,
    "iri-reference": uri,
    "json-pointer": pointer,
    "relative-json-pointer": relative_pointer,
    "byte": lambda text: base64.b64decode(text, validate=True),
    "date-time-local": datetime.datetime.fromisoformat,
    "time-local": datetime.time.fromisoformat,
}


def test_every_format_is_read() -> None:
    assert set(READERS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_can_be_written_is_read(byte_grammar: Any, name: str) -> None:
    grammar, draw, num_ended = byte_grammar.of_schema({"type": "string", "format": name}), random.Random(7), 0
    for _ in range(NUM_WALKS):
        text = grammar.walk(draw, 2000)
        if text is not None:
            num_ended += 1
            READERS[name](json.loads(text))
    assert num_ended >= NUM_WALKS / 2


# format, values as people write them, others
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "date": (["2024-02-29", "1999-12-31"], ["2023-02-29", "2024-13-01", "2024-1-1", "0000-01-01"]),
    "time": (["08:30:06Z", "23:59:59.123+02:00"], ["08:30:06", "24:00:00Z", "08:60:00Z"]),
    "date-time": (
        ["2024-05-17T08:30:06.5Z", "2024-05-17T08:30:06-05:00"],
        ["2024-05-17", "2024-05-17T08:30:06"],
    ),
    "email": (["jane.doe+tag@example.co.uk"], ["jane", "@example.com", "a@b@example.com"]),
    "ipv4": (["127.0.0.1", "255.255.255.255"], ["256.0.0.1", "1.2.3", "01.2.3.4"]),
    "ipv6": (["::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8"], ["1::2::3", "12345::"]),
    "uuid": (["2eb8aa08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08", "2eb8aa08aa9811eab4aa73b441d16380"]),
    "uri": (["https://example.com/a/b?c=d#e", "http://www.example.org:8080/"], ["example.com", "http:// a"]),
    "hostname": (["www.example.com", "a-b"], ["-a", "a_b", "xn--l-fda"]),
    "duration": (["P3DT4H", "PT5M", "P2W"], ["P", "PT", "3D"]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_ordinary_values_can_be_written(byte_grammar: Any, name: str) -> None:
    grammar = byte_grammar.of_schema({"type": "string", "format": name})
    taken, refused = EXAMPLES[name]
    for text in taken:
        assert grammar.takes(json.dumps(text)), text
    for text in refused:
        assert not grammar.takes(json.dumps(text)), text


@pytest.mark.parametrize("name", INTEGERS)
def test_formats_of_integers_are_bounds(byte_grammar: Any, name: str) -> None:
    low, high = INTEGERS[name]
    grammar = byte_grammar.of_schema({"type": "integer", "format": name})
    assert all(grammar.takes(str(number)) for number in (low, high, 0))
    assert not any(grammar.takes(str(number)) for number in (low - 1, high + 1))


@pytest.mark.parametrize("name", sorted(WITHOUT_RULES))
def test_formats_that_say_nothing_leave_strings_free(byte_grammar: Any, name: str) -> None:
    assert byte_grammar.of_schema({"type": "string", "format": name}).takes('"any text"')
