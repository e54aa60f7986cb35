"""openai-python: Responses, continued by id where they are stored, else with every item sent back."""

import json
from typing import Any

from asked import FLAT_TOOL, QUESTIONS, WEATHER, Asked, Told, hold_all
from openai import OpenAI


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""
    client = OpenAI(base_url=ask.url, api_key="none", max_retries=0)
    tool = FLAT_TOOL | {"strict": True}
    include: Any = None if ask.store else ["reasoning.encrypted_content"]

    def answer(items: list[Any], before: str | None, tool_choice: Any) -> Any:
        fields: dict[str, Any] = {
            "model": ask.model,
            "input": items,
            "tools": [tool],
            "tool_choice": tool_choice,
            "store": ask.store,
            "include": include,
            "previous_response_id": before,
            "max_output_tokens": ask.max_tokens,
            "extra_body": ask.extra_body,
        }
        if not ask.stream:
            return client.responses.parse(**fields)
        with client.responses.stream(**fields) as stream:
            # Its own get_final_response() wants one that is completed, not one that ran out of tokens.
            [*_, last] = stream
            return last.response

    items: list[Any] = []
    before = None
    tool_choice = ask.tool_choice
    for question in QUESTIONS:
        items.append({"role": "user", "content": question})
        while True:
            response = answer(items, before, tool_choice)
            tool_choice = ask.next_choice
            before = response.id if ask.store else None
            items = [] if ask.store else [*items, *response.output]
            calls = [item for item in response.output if item.type == "function_call"]
            for call in calls:
                told.calls.append(json.loads(call.arguments))
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": WEATHER})
            if not calls:
                break
        told.texts.append(response.output_text)


hold_all(hold)
