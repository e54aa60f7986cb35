"""What one generation is to do: everything the conductor needs to know of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from steiner.reasoning.parser.stop_strings import NO_STOP, StopRule
from steiner.reasoning.policy import Policy
from steiner.reasoning.verifiers.base import Verifier
from steiner.server.engine.base import Sampling


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What the answer is held to.

    Attributes:
        name: for a person.
        grammar: in llguidance's Lark, with the rule `answer` for the whole of it, less the end of the turn.
        may_call: whether there can be calls of tools to read.
    """

    name: str
    grammar: str
    may_call: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to generate.

    Attributes:
        prompt_ids: the chat template may have opened the reasoning in them; those tokens are the prompt's.
        max_tokens: of reasoning and answer together, forced ones included; a hard upper bound.
        problem: the user's messages, a line each, for the verifier.
        verifier: the checker that the policy names.
        answer_format: what the answer is held to.
        stop: what ends the answer beside the end of the turn.
        num_logprobs: likeliest tokens told beside each of the answer's; None for no log probabilities.
        answer_bias: added to the logits of these ids in the answer alone.
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
        """What the answer's own request holds it to, for a person; None where it needs no request of its own."""
        if self.answer_format is not None:
            return self.answer_format.name
        return "logit_bias" if self.answer_bias else None

    @property
    def may_call(self) -> bool:
        """Whether the answer may call tools."""
        return self.answer_format is not None and self.answer_format.may_call
