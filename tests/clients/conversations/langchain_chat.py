"""LangChain's ChatOpenAI, over chat completions or, with `responses`, over Responses."""

from typing import Any

from asked import QUESTIONS, TOOL, WEATHER, Asked, Told, hold_all
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""
    options: dict[str, Any] = {}
    if ask.variant == "responses":
        options = {"use_responses_api": True, "output_version": "responses/v1", "store": ask.store}
        options |= (
            {"use_previous_response_id": True} if ask.store else {"include": ["reasoning.encrypted_content"]}
        )
    model = ChatOpenAI(
        base_url=ask.url,
        api_key="none",
        model=ask.model,
        max_retries=0,
        max_tokens=ask.max_tokens,
        extra_body=ask.extra_body,
        **options,
    )

    def answer(messages: list[Any], tool_choice: str) -> Any:
        bound = model.bind_tools([TOOL], tool_choice=tool_choice)
        if not ask.stream:
            return bound.invoke(messages)
        [first, *rest] = bound.stream(messages)
        return sum(rest, first)

    messages: list[Any] = []
    tool_choice = ask.tool_choice
    for question in QUESTIONS:
        messages.append(HumanMessage(question))
        while True:
            message = answer(messages, tool_choice)
            tool_choice = ask.next_choice
            messages.append(message)
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                told.calls.append(call["args"])
                messages.append(ToolMessage(WEATHER, tool_call_id=call["id"]))
        told.texts.append(str(message.text))


hold_all(hold)
