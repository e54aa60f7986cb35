"""An event as JSON, as `model_dump_json` writes it. The most frequent kind is written without pydantic."""

from __future__ import annotations

from json.encoder import encode_basestring

from steiner.reasoning.events import Event, SectionDelta


def event_json(event: Event) -> str:
    """One line of JSON, byte-equal to `event.model_dump_json()`."""
    if event.type == "section.delta":
        return delta_json(event, encode_basestring(event.text))
    return event.model_dump_json()


def delta_json(event: SectionDelta, quoted: str) -> str:
    """A delta's JSON, its text already quoted."""
    return (
        f'{{"sequence_number":{event.sequence_number},"type":"section.delta","step":{event.step},'
        f'"role":"{event.role}","text":{quoted}}}'
    )
