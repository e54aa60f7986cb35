"""An engine that plays a script: for tests, and to measure the server without a model.

The k-th request plays the k-th script. After the last script, the last one is played again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from steiner.server.engine.base import (
    EngineDead,
    EngineError,
    FinishReason,
    TokenLogprobs,
    TokenRequest,
    TokenUpdate,
)


@dataclass(slots=True)
class Script:
    """One run of the engine.

    Attributes:
        token_ids: what it generates, in order; cut at the request's max_tokens, which then finishes it.
        per_update: tokens in each update.
        holds: after the tokens, wait until aborted instead of finishing.
        raises: after the tokens, fail instead of finishing.
        logprobs: one for each token, returned if asked for, cut to the number of likeliest ones.
        num_cached_tokens: returned with every update.
    """

    token_ids: Sequence[int]
    per_update: int = 1
    holds: bool = False
    raises: EngineError | None = None
    logprobs: Sequence[TokenLogprobs] = ()
    num_cached_tokens: int | None = None

    def told(self, start: int, end: int, num_top: int | None) -> list[TokenLogprobs] | None:
        """The log probabilities of these tokens."""
        if num_top is None or not self.logprobs:
            return None
        return [TokenLogprobs(one.logprob, one.top[:num_top]) for one in self.logprobs[start:end]]


@dataclass(slots=True)
class ScriptedEngine:
    """A `TokenEngine` that plays scripts and remembers what was asked and aborted."""

    scripts: Sequence[Script]
    max_model_len: int = 2048
    default_sampling: Mapping[str, float | int] = field(default_factory=dict)
    requests: list[TokenRequest] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    is_dead: bool = False
    counted_drafts: Mapping[str, int] | None = None
    bias_refusal: str | None = None

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        """Play the next script."""
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(request)
        finished = False
        try:
            token_ids = script.token_ids[: request.max_tokens]
            is_short = len(token_ids) < len(script.token_ids)
            for start in range(0, len(token_ids), script.per_update):
                await asyncio.sleep(0)
                end = start + script.per_update
                is_last = end >= len(token_ids) and not (script.holds or script.raises)
                reason: FinishReason = "length" if is_short else "stop"
                told = script.told(start, min(end, len(token_ids)), request.num_logprobs)
                yield TokenUpdate(
                    token_ids[start:end], reason if is_last else None, told, script.num_cached_tokens
                )
            if script.raises is not None:
                raise script.raises
            if script.holds:
                await asyncio.Event().wait()
            finished = True
        finally:
            if not finished:
                self.aborted.append(request.request_id)

    def draft_counts(self) -> Mapping[str, int] | None:
        """Those that a test has set."""
        return self.counted_drafts

    async def check_health(self) -> None:
        """Raises EngineDead once `is_dead` is set."""
        if self.is_dead:
            raise EngineDead("the engine has stopped")

    def shutdown(self) -> None:
        """Be dead."""
        self.is_dead = True
