"""`steiner.client`: the step stream; steps of an answer go back as they are in its trace."""

import json
from typing import Any

from asked import QUESTIONS, TOOL, WEATHER, Asked, Told, hold_all

from steiner.client import ReasoningClient


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""
    client = ReasoningClient(ask.url.removesuffix("/v1"), api_key="none")

    def answer(messages: list[Any], tool_choice: str) -> Any:
        fields: dict[str, Any] = {"tools": [TOOL], "tool_choice": tool_choice, "max_tokens": ask.max_tokens}
        [first, *_] = list(client.stream(messages, **fields))
        return client.trace(first.id)

    messages: list[Any] = []
    tool_choice = ask.tool_choice
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        while True:
            trace = answer(messages, tool_choice)
            tool_choice = ask.next_choice
            calls = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in trace.tool_calls
            ]
            steps = [step.model_dump(mode="json") for step in trace.steps]
            messages.append(
                {"role": "assistant", "content": trace.answer, "reasoning_steps": steps, "tool_calls": calls}
            )
            if not calls:
                break
            for call in trace.tool_calls:
                told.calls.append(json.loads(call.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": WEATHER})
        told.texts.append(trace.answer)


hold_all(hold)
