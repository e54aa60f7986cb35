"""LiteLLM's completion; its messages go back as the objects that they came as."""

import json
from typing import Any

import litellm
from asked import QUESTIONS, TOOL, WEATHER, Asked, Told, hold_all


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""

    def answer(messages: list[Any], tool_choice: Any) -> Any:
        reply = litellm.completion(
            model=f"openai/{ask.model}",
            api_base=ask.url,
            api_key="none",
            num_retries=0,
            messages=messages,
            tools=[TOOL],
            tool_choice=tool_choice,
            max_tokens=ask.max_tokens,
            stream=ask.stream,
        )
        if ask.stream:
            reply = litellm.stream_chunk_builder(list(reply), messages=messages)
        return reply.choices[0].message

    messages: list[Any] = []
    tool_choice = ask.tool_choice
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        while True:
            message = answer(messages, tool_choice)
            tool_choice = ask.next_choice
            messages.append(message)
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                told.calls.append(json.loads(call.function.arguments))
                messages.append(
                    {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": WEATHER}
                )
        told.texts.append(message.content)


hold_all(hold)
