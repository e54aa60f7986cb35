"""openai-python: chat completions; its messages go back as the objects that they came as."""

from typing import Any

from asked import QUESTIONS, TOOL, WEATHER, Asked, Told, hold_all
from openai import OpenAI


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""
    client = OpenAI(base_url=ask.url, api_key="none", max_retries=0)
    # The helpers parse arguments of strict tools alone.
    tool = TOOL | {"function": TOOL["function"] | {"strict": True}}

    def answer(messages: list[Any], tool_choice: Any) -> Any:
        fields: dict[str, Any] = {
            "model": ask.model,
            "messages": messages,
            "tools": [tool],
            "tool_choice": tool_choice,
            "max_tokens": ask.max_tokens,
        }
        if not ask.stream:
            return client.chat.completions.parse(**fields).choices[0].message
        with client.chat.completions.stream(**fields) as stream:
            return stream.get_final_completion().choices[0].message

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
                told.calls.append(call.function.parsed_arguments)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": WEATHER})
        told.texts.append(message.content)


hold_all(hold)
