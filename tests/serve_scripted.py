"""A server process whose engine plays a script: how it ends is what is looked at. Run as a program.

Arguments: port, drain deadline in seconds, and what happens: hold, finish, refuse to load, or die.
"""

from __future__ import annotations

import asyncio
import sys

from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.protocols.steiner import STEINER
from steiner.server.engine.scripted_engine import Script, ScriptedEngine
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.main import Process
from steiner.server.model.loading import LoadError
from steiner.server.model.service import Service
from steiner.server.settings import Settings
from steiner.training.model.tokenizer import build_tokenizer, family_words


class ScriptedService(Service):
    """Loads a script in place of a model."""

    what = "hold"

    async def load(self) -> None:
        if self.what == "refuse":
            raise LoadError("there is no such model")
        tokenizer = build_tokenizer(family_words(), 2048)
        bound = STEINER.bind(tokenizer)
        start = "<|reasoning_start|><|reasoning_step_start|>"
        ids = tokenizer.encode(start, add_special_tokens=False)
        engine = ScriptedEngine([Script(ids, holds=True)])
        engine.is_dead = self.what == "die"
        encoder = PromptEncoder(tokenizer, bound.special_ids)
        new_decoder = section_texts(tokenizer.backend_tokenizer)
        spelling = TokenSpelling(tokenizer, bound.special_ids)
        self.adopt(LoadedModel(engine, bound, encoder, new_decoder, spelling))
        if self.what == "die":
            await self.check_engine()


def main(port: int, drain_timeout_s: float, what: str) -> int:
    """Serve; gives the exit code."""
    settings = Settings(
        served_model_name="tiny", port=port, drain_timeout_s=drain_timeout_s, store="memory", max_running=1
    )
    ScriptedService.what = what
    return asyncio.run(Process(settings, ScriptedService(settings)).run())


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
