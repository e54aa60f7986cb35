"""LiteLLM's responses, continued by id where they are stored, else with every item sent back."""

import json
from typing import Any

import litellm
from asked import FLAT_TOOL, QUESTIONS, WEATHER, Asked, Told, hold_all


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""

    def answer(items: list[Any], before: str | None, tool_choice: Any) -> Any:
        reply = litellm.responses(
            model=f"openai/{ask.model}",
            api_base=ask.url,
            api_key="none",
            num_retries=0,
            input=items,
            tools=[FLAT_TOOL],
            tool_choice=tool_choice,
            store=ask.store,
            include=None if ask.store else ["reasoning.encrypted_content"],
            previous_response_id=before,
            max_output_tokens=ask.max_tokens,
            stream=ask.stream,
        )
        return list(reply)[-1].response if ask.stream else reply

    items: list[Any] = []
    before = None
    tool_choice = ask.tool_choice
    for question in QUESTIONS:
        items.append({"role": "user", "content": question})
        while True:
            response = answer(items, before, tool_choice)
            tool_choice = ask.next_choice
            output = [item if isinstance(item, dict) else item.model_dump() for item in response.output]
            before = response.id if ask.store else None
            items = [] if ask.store else [*items, *output]
            calls = [item for item in output if item["type"] == "function_call"]
            for call in calls:
                told.calls.append(json.loads(call["arguments"]))
                items.append({"type": "function_call_output", "call_id": call["call_id"], "output": WEATHER})
            if not calls:
                break
        told.texts.append(
            "".join(part["text"] for item in output if item["type"] == "message" for part in item["content"])
        )


hold_all(hold)
