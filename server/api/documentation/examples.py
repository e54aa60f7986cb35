"""Request bodies shown at /docs; a server on a model of the protocol `steiner` answers each with 200."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import Example

QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


def _example(summary: str, **fields: Any) -> Example:
    return {"summary": summary, "value": QUESTION | fields}


_REASONING: dict[str, Example] = {
    "question": _example("A question; everything else is the default"),
    "limits": _example(
        "Limits on the reasoning",
        reasoning={"max_steps": 12, "max_backtracks": 4, "max_reasoning_tokens": 600},
    ),
    "verifier": _example("An exact checker decides the verdicts", reasoning={"verifier": "auto"}),
    "effort": _example("As much reasoning as OpenAI's word stands for", reasoning_effort="low"),
    "sampling": _example("Repeatable sampling", temperature=0.7, top_p=0.95, seed=7),
    "schema": _example(
        "The answer, and only the answer, as JSON",
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "result",
                "schema": {
                    "type": "object",
                    "properties": {"found": {"type": "boolean"}},
                    "required": ["found"],
                    "additionalProperties": False,
                },
            },
        },
    ),
}

REASONING: dict[str, Example] = _REASONING

CHAT: dict[str, Example] = _REASONING | {
    "stream": _example(
        "A stream of chunks, with usage at its end", stream=True, stream_options={"include_usage": True}
    ),
    "conversation": {
        "summary": "A conversation that goes on",
        "value": {
            "messages": [
                *QUESTION["messages"],
                {"role": "assistant", "content": "15 - 4 = 11, 11 + 11 = 22"},
                {"role": "user", "content": "make 4 from 15 4 11"},
            ]
        },
    },
}


def _response(summary: str, **fields: Any) -> Example:
    return {"summary": summary, "value": {"input": "make 22 from 15 4 11"} | fields}


RESPONSES: dict[str, Example] = {
    "question": _response("A question; everything else is the default"),
    "limits": _response(
        "Limits on the reasoning, beside OpenAI's effort", reasoning={"effort": "low", "max_steps": 6}
    ),
    "stream": _response("A stream of events", stream=True),
    "background": _response("In the background, to be read by its id", background=True),
    "items": _response(
        "A conversation as items, with instructions",
        instructions="Be brief.",
        input=[
            {"role": "user", "content": "make 22 from 15 4 11"},
            {"role": "assistant", "content": "15 - 4 = 11, 11 + 11 = 22"},
            {"role": "user", "content": [{"type": "input_text", "text": "make 4 from 15 4 11"}]},
        ],
    ),
    "schema": _response(
        "The answer, and only the answer, as JSON",
        text={
            "format": {
                "type": "json_schema",
                "name": "result",
                "schema": {
                    "type": "object",
                    "properties": {"found": {"type": "boolean"}},
                    "required": ["found"],
                    "additionalProperties": False,
                },
            }
        },
    ),
}
