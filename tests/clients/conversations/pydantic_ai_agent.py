"""pydantic-ai: an agent with a tool, over Responses or, with `chat`, over chat completions."""

import asyncio
from typing import Any

from asked import QUESTIONS, WEATHER, Asked, Told, hold_all
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider


async def converse(ask: Asked, told: Told) -> None:
    """One conversation."""
    provider = OpenAIProvider(base_url=ask.url, api_key="none")
    settings: dict[str, Any] = {"max_tokens": ask.max_tokens}
    if ask.variant == "chat":
        model: Any = OpenAIChatModel(ask.model, provider=provider)
    else:
        # What it knows of models goes by their names: that this one reasons, it has to be told.
        profile = OpenAIModelProfile(openai_supports_encrypted_reasoning_content=True)
        model = OpenAIResponsesModel(ask.model, provider=provider, profile=profile)
        settings["openai_store"] = ask.store
        if ask.variant == "previous":
            settings["openai_previous_response_id"] = "auto"
    agent = Agent(model, model_settings=settings)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Weather of a city."""
        told.calls.append({"city": city})
        return WEATHER

    history: list[Any] = []
    for question in QUESTIONS:
        if ask.stream:
            async with agent.run_stream(question, message_history=history) as result:
                told.texts.append(await result.get_output())
                history = result.all_messages()
        else:
            whole = await agent.run(question, message_history=history)
            told.texts.append(whole.output)
            history = whole.all_messages()


hold_all(lambda ask, told: asyncio.run(converse(ask, told)))
