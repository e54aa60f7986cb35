"""Calls of tools as chat completions have them.

https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming
"""

from __future__ import annotations

from typing import Any

from steiner.reasoning.events import ToolCallDelta, ToolCallStarted
from steiner.reasoning.trace import Trace


def tool_calls_field(trace: Trace) -> dict[str, Any]:
    """The field of a message; nothing where it has no calls, as OpenAI leaves it out."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in trace.tool_calls
    ]
    return {"tool_calls": calls} if calls else {}


def tool_call_chunk(event: ToolCallStarted | ToolCallDelta) -> dict[str, Any]:
    """One element of a chunk's `delta.tool_calls`: id and name first, then pieces of the arguments."""
    match event:
        case ToolCallStarted(index=index, id=call_id, name=name):
            function = {"name": name, "arguments": ""}
            return {"index": index, "id": call_id, "type": "function", "function": function}
        case ToolCallDelta(index=index, arguments=arguments):
            return {"index": index, "function": {"arguments": arguments}}
