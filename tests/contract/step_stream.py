"""Reading step streams as bytes, as tests of resuming compare them."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
COMMENT = re.compile(rb": keep-alive\n\n")


def whole_events(content: bytes) -> bytes:
    """What was read up to the end of the last event that is complete, without comments."""
    return COMMENT.sub(b"", content[: content.rfind(b"\n\n") + 2] if b"\n\n" in content else b"")


def last_id(content: bytes) -> str:
    """Id of the last complete event; "0" without any."""
    ids = re.findall(rb"^id: (\d+)$", whole_events(content), flags=re.MULTILINE)
    return ids[-1].decode() if ids else "0"


def events_of(content: bytes) -> list[dict[str, Any]]:
    """The data of each event."""
    return [json.loads(line) for line in re.findall(rb"^data: (.*)$", content, flags=re.MULTILINE)]


def id_of(content: bytes) -> str:
    """Of the generation, from its first event."""
    name: str = events_of(content)[0]["id"]
    return name


def begin(url: str, num_events: int, headers: dict[str, str] | None = None) -> bytes:
    """Begin a generation, read at least this many events, and leave."""
    content = b""
    with httpx.stream("POST", f"{url}/v1/reasoning", json=BODY, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            content += piece
            if int(last_id(content)) >= num_events:
                break
    return whole_events(content)


def resume(url: str, name: str, after: str = "0", headers: dict[str, str] | None = None) -> httpx.Response:
    """What there is behind an event, to the end of the stream."""
    given = {"Last-Event-ID": after} | (headers or {})
    return httpx.get(f"{url}/v1/reasoning/{name}/events", headers=given, timeout=30)
