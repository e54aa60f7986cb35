"""Our server over an engine that costs nothing: what is left is the front end.

    python benchmarks/scripted_server.py --port 8000 [--model DIR] [--pace-ms 5] [--setting max_retained=100]

The engine plays legal walks of the protocol, chosen by the prompt, so that the same request brings the same
tokens. It says on /metrics how many requests it has in hand, as vLLM does: `scripted_engine_requests`.
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from legal_walks import legal_walk
from prometheus_client import REGISTRY, Gauge

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.server.engine.base import FinishReason, TokenRequest, TokenUpdate
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.main import Process
from steiner.server.model.loading import in_daemon_thread, load_tokenizer
from steiner.server.model.service import Service
from steiner.server.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
MAX_MODEL_LEN = 2048
NUM_WALKS = 16
SECTION_TOKENS = 6
LONG_SEARCH = 64
MAX_PER_UPDATE = 4


class WalkingEngine:
    """A `TokenEngine` that keeps nothing of a request once it is over.

    Args:
        pace_s: mean time between two updates; 0 gives the loop one turn, and every update one token.
        max_steps: of the walks; there are as many of each.
    """

    def __init__(
        self, bound: BoundProtocol, pace_s: float, max_steps: Sequence[int], max_model_len: int | None = None
    ) -> None:
        self.max_model_len = max_model_len or MAX_MODEL_LEN
        self.default_sampling: Mapping[str, float | int] = {}
        self.bias_refusal = None
        self._pace_s = pace_s
        self._reasoning_end_id = bound.reasoning_end_id
        policies = [Policy(max_steps=steps, max_backtracks=steps // 2) for steps in max_steps]
        self._walks = [
            legal_walk(Automaton(bound, policy), SECTION_TOKENS, seed).token_ids
            for policy in policies
            for seed in range(NUM_WALKS)
        ]
        self._in_hand = Gauge("scripted_engine_requests", "Requests that the engine has not ended.")

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        """Play the walk that belongs to the prompt, up to `max_tokens`."""
        digest = hashlib.sha256(repr(request.prompt_ids).encode()).digest()
        rng = random.Random(digest)
        walk = rng.choice(self._walks)
        if self._reasoning_end_id in request.prompt_ids:
            # What follows a cut that ended the reasoning is the answer.
            walk = walk[walk.index(self._reasoning_end_id) + 1 :]
        token_ids = walk[: request.max_tokens]
        reason: FinishReason = "stop" if len(token_ids) == len(walk) else "length"
        self._in_hand.inc()
        try:
            begin = 0
            while begin < len(token_ids):
                await asyncio.sleep(rng.uniform(0, 2 * self._pace_s))
                end = begin + (rng.randint(1, MAX_PER_UPDATE) if self._pace_s else 1)
                yield TokenUpdate(token_ids[begin:end], reason if end >= len(token_ids) else None)
                begin = end
        finally:
            self._in_hand.dec()

    def draft_counts(self) -> None:
        """It drafts nothing."""

    async def check_health(self) -> None:
        """Always well."""

    def shutdown(self) -> None:
        """Nothing to free."""


class ScriptedService(Service):
    """Loads walks in place of a model."""

    def __init__(self, settings: Settings, pace_s: float, max_steps: Sequence[int]) -> None:
        super().__init__(settings, REGISTRY)
        self._pace_s = pace_s
        self._max_steps = max_steps

    async def load(self) -> None:
        """Ready afterwards, with the store of the settings."""
        await self.generations.open()
        tokenizer = await in_daemon_thread(lambda: load_tokenizer(self.settings.model))
        bound = STEINER.bind(tokenizer)
        encoder = PromptEncoder(tokenizer, bound.special_ids)
        new_decoder = section_texts(tokenizer.backend_tokenizer)
        engine = WalkingEngine(bound, self._pace_s, self._max_steps, self.settings.max_model_len)
        spelling = TokenSpelling(tokenizer, bound.special_ids)
        self.adopt(LoadedModel(engine, bound, encoder, new_decoder, spelling))


def main() -> int:
    """Serve until SIGTERM, and drain."""
    arguments = read_arguments()
    settings = Settings(
        model=str(arguments.model), port=arguments.port, log_level="warning", **dict(arguments.setting)
    )
    process = Process(settings, ScriptedService(settings, arguments.pace_ms / 1e3, arguments.steps))
    with asyncio.Runner(loop_factory=process.config.get_loop_factory()) as runner:
        return runner.run(process.run())


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "models/steiner-tiny", help="for its tokenizer")
    parser.add_argument(
        "--pace-ms", type=float, default=0, help="between updates of a generation; 0: at once"
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[LONG_SEARCH], help="of the walks, at most")
    parser.add_argument(
        "--setting", type=setting, action="append", default=[], help="of the server: NAME=JSON, repeatable"
    )
    return parser.parse_args()


def setting(text: str) -> tuple[str, Any]:
    """A field of `Settings` and its value."""
    name, _, value = text.partition("=")
    return name, json.loads(value)


if __name__ == "__main__":
    sys.exit(main())
