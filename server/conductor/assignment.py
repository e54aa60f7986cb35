"""What one generation has to do: everything the conductor needs to know about a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from steiner.reasoning.parser.stop_strings import NO_STOP, StopRule
from steiner.reasoning.policy import Policy
from steiner.reasoning.verifiers.base import Verifier
from steiner.server.engine.base import Sampling


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What the answer has to fit.

    Attributes:
        name: for people.
        grammar: in llguidance's Lark; its rule `answer` is the whole answer without the end of the turn.
        may_call: whether the answer can have calls of tools.
    """

    name: str
    grammar: str
    may_call: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to generate.

    Attributes:
        prompt_ids: may end in tokens with which the chat template opens the reasoning; they count as prompt.
        max_tokens: of reasoning and answer together, forced ones included; a hard upper bound.
        problem: the user's messages, a line each, for the verifier.
        verifier: the checker that the policy names.
        answer_format: what the answer has to fit.
        stop: what ends the answer, other than the end of the turn.
        num_logprobs: likeliest tokens reported with each token of the answer; None for no log probabilities.
        answer_bias: added to the logits of these ids, only in the answer.
        trace_headers: W3C trace context, for the engine's spans.
    """

    id: str
    model: str
    prompt_ids: tuple[int, ...]
    policy: Policy
    sampling: Sampling
    max_tokens: int
    problem: str = ""
    verifier: Verifier | None = None
    answer_format: AnswerFormat | None = None
    stop: StopRule = NO_STOP
    num_logprobs: int | None = None
    answer_bias: Mapping[int, float] = field(default_factory=dict)
    trace_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def answer_rule(self) -> str | None:
        """What the answer's own request makes it fit, for people; None if it needs no request of its own."""
        if self.answer_format is not None:
            return self.answer_format.name
        return "logit_bias" if self.answer_bias else None

    @property
    def may_call(self) -> bool:
        """Whether the answer may call tools."""
        return self.answer_format is not None and self.answer_format.may_call
