"""What the server needs from an inference engine: token ids in, token ids out, nothing else.

`vllm_engine.VllmEngine` is the engine; tests script the same protocol with known tokens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]


class EngineError(Exception):
    """The engine failed on a request that looked right."""


class EngineDead(EngineError):
    """The engine is gone and will serve nothing more."""


class EngineRefusal(EngineError):
    """The engine refuses the request's parameters; the message can be shown to the client."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens; the names and meanings are vLLM's `SamplingParams`."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One run of the engine: `max_tokens` at most after `prompt_ids`.

    Attributes:
        grammar: what the tokens must keep to, their end included, in llguidance's Lark.
        min_tokens: tokens before the first of `stop_ids` may come.
        logit_bias: added to the logits of these ids.
        num_logprobs: report each token's log probability and those of so many likeliest ones; None for nothing.
        trace_headers: W3C trace context, for the engine's spans.
    """

    request_id: str
    prompt_ids: Sequence[int]
    max_tokens: int
    sampling: Sampling
    stop_ids: tuple[int, ...]
    grammar: str | None = None
    min_tokens: int = 0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    num_logprobs: int | None = None
    trace_headers: Mapping[str, str] = field(default_factory=dict)


DRAFT_COUNTS = (
    "steps",
    "tokens",
    "drafted_markers",
    "drafted_copies",
    "accepted_markers",
    "accepted_copies",
)
"""Of speculation: decode steps of single requests, tokens sampled in them, and drafted tokens by their origin."""


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Log probabilities at one place of the sequence, over the tokens that the request's grammar allows.

    They are the ones before temperature, penalties and biases.

    Attributes:
        logprob: of the sampled token; from -9999 to 0.
        top: the likeliest ids with theirs, the likeliest first; the sampled one may be among them. Masked tokens never
            are, so there may be fewer than were asked for.
    """

    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenUpdate:
    """Tokens sampled since the last update, in order; any number of them, even none.

    Attributes:
        logprobs: one for each token, if the request asked for them.
        num_cached_tokens: tokens of the request's prompt that the prefix cache had; None if the engine does not
            say.
    """

    token_ids: Sequence[int]
    finish_reason: FinishReason | None = None
    logprobs: Sequence[TokenLogprobs] | None = None
    num_cached_tokens: int | None = None


class TokenEngine(Protocol):
    """An engine that owns one model."""

    @property
    def max_model_len(self) -> int:
        """Tokens of prompt and completion together, at most."""
        ...

    @property
    def default_sampling(self) -> Mapping[str, float | int]:
        """Fields of `Sampling` (and `max_tokens`) that the checkpoint's generation config sets."""
        ...

    @property
    def bias_refusal(self) -> str | None:
        """Why requests cannot have `logit_bias` or `min_p`, and what to do; None if they can."""
        ...

    def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        """Run a request; closing the generator early aborts it in the engine.

        Raises:
            EngineRefusal: the parameters cannot be served.
            EngineDead: the engine is gone.
            EngineError: it failed otherwise.
        """
        ...

    def draft_counts(self) -> Mapping[str, int] | None:
        """Decode steps, and tokens that were drafted and accepted, by `DRAFT_COUNTS`; None if it counts none.

        They only grow.
        """
        ...

    async def check_health(self) -> None:
        """Raises EngineDead if the engine is gone."""
        ...

    def shutdown(self) -> None:
        """Free everything; running requests end."""
        ...
