"""Tools in the prompt of a model whose chat template knows none: as Qwen2.5's template writes them.

The words are the ones that Qwen2.5, Qwen3 and Hermes are trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from steiner.reasoning.parser.tool_calls import call_text

BEFORE_TOOLS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
"""
BEHIND_TOOLS = """
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""


def written_out(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of the roles system, user and assistant that say all of it in plain text.

    Args:
        messages: as a template gets them; their texts may be placeholders.
        tools: likewise.
    """
    written: list[dict[str, Any]] = []
    responses: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            responses.append(f"<tool_response>\n{message['content']}\n</tool_response>")
            continue
        _add_responses(written, responses)
        content = message["content"]
        calls = [
            call_text(call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls", ())
        ]
        written.append(
            {
                "role": message["role"],
                "content": "\n".join(calls if calls and not content else [content, *calls]),
            }
        )
    _add_responses(written, responses)
    if not tools:
        return written
    block = BEFORE_TOOLS + "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools) + BEHIND_TOOLS
    if written and written[0]["role"] in ("system", "developer"):
        first, *rest = written
        return [first | {"content": f"{first['content']}\n\n{block}"}, *rest]
    return [{"role": "system", "content": block}, *written]


def _add_responses(written: list[dict[str, Any]], responses: list[str]) -> None:
    if responses:
        written.append({"role": "user", "content": "\n".join(responses)})
        responses.clear()
