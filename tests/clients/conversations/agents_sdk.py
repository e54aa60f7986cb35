"""openai-agents: an agent with a tool, over Responses or, with `chat`, over chat completions."""

import asyncio
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from asked import QUESTIONS, WEATHER, Asked, Told, hold_all
from openai import AsyncOpenAI

set_tracing_disabled(True)


async def converse(ask: Asked, told: Told) -> None:
    """One conversation."""

    @function_tool
    def get_weather(city: str) -> str:
        """Weather of a city."""
        told.calls.append({"city": city})
        return WEATHER

    client = AsyncOpenAI(base_url=ask.url, api_key="none", max_retries=0)
    settings: dict[str, Any] = {"max_tokens": ask.max_tokens, "tool_choice": ask.tool_choice}
    if ask.variant == "chat":
        model: Any = OpenAIChatCompletionsModel(model=ask.model, openai_client=client)
    else:
        model = OpenAIResponsesModel(model=ask.model, openai_client=client)
        settings["store"] = ask.store
        if not ask.store:
            settings["response_include"] = ["reasoning.encrypted_content"]
    agent = Agent(
        name="a",
        instructions="be brief",
        model=model,
        tools=[get_weather],
        model_settings=ModelSettings(**settings),
    )
    items: list[Any] = []
    for question in QUESTIONS:
        items.append({"role": "user", "content": question})
        if ask.stream:
            result: Any = Runner.run_streamed(agent, items)
            async for _ in result.stream_events():
                pass
        else:
            result = await Runner.run(agent, items)
        items = result.to_input_list()
        told.texts.append(result.final_output)
        if ask.tool_choice != "auto":
            agent = agent.clone(model_settings=ModelSettings(**(settings | {"tool_choice": "none"})))


hold_all(lambda ask, told: asyncio.run(converse(ask, told)))
