"""A server process over a scripted engine, for tests that kill it: SCRIPT, PORT and SETTINGS as arguments.

SCRIPT is a JSON list of token ids, which the engine gives out and then waits; SETTINGS is a JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvicorn
from prometheus_client import CollectorRegistry

from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.protocols.steiner import STEINER
from steiner.server.app import create_app
from steiner.server.engine.scripted_engine import Script, ScriptedEngine
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.model.service import Service
from steiner.server.settings import Settings
from steiner.training.model.tokenizer import build_tokenizer, family_words


async def main(script: str, port: str, settings: str) -> None:
    """Serve until killed."""
    tokenizer = build_tokenizer(family_words(), 2048)
    bound = STEINER.bind(tokenizer)
    service = Service(Settings(served_model_name="tiny", **json.loads(settings)), CollectorRegistry())
    service.adopt(
        LoadedModel(
            ScriptedEngine([Script(json.loads(script), holds=True)]),
            bound,
            PromptEncoder(tokenizer, bound.special_ids),
            section_texts(tokenizer.backend_tokenizer),
            TokenSpelling(tokenizer, bound.special_ids),
        )
    )
    await uvicorn.Server(uvicorn.Config(create_app(service), port=int(port), lifespan="off")).serve()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
