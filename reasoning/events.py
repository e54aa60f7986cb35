"""The typed events of a reasoning stream: a union tagged by `type`, numbered from 1 without gaps."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import SectionRole
from steiner.reasoning.steps import Decision, Verdict

EndedBy = Literal[
    "model", "max_steps", "max_depth", "max_backtracks", "max_reasoning_tokens", "loop", "verifier"
]
InterventionKind = Literal["budget", "verifier", "loop", "memory", "answer"]
FinishReason = Literal["stop", "length"]


class Numbered(BaseModel):
    """Number 0 means not numbered yet: `Parser.emit` gives the next number of its stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sequence_number: int = 0


class ReasoningStarted(Numbered):
    type: Literal["reasoning.started"] = "reasoning.started"
    id: str
    model: str
    protocol: str
    policy: Policy


class StepStarted(Numbered):
    type: Literal["step.started"] = "step.started"
    step: int
    depth: int | None
    parent: int | None


class SectionStarted(Numbered):
    type: Literal["section.started"] = "section.started"
    step: int
    role: SectionRole
    name: str


class SectionDelta(Numbered):
    type: Literal["section.delta"] = "section.delta"
    step: int
    role: SectionRole
    text: str


class SectionDone(Numbered):
    type: Literal["section.done"] = "section.done"
    step: int
    role: SectionRole
    text: str
    num_tokens: int


class StepVerified(Numbered):
    """Comes with the verdict token, before its section is done."""

    type: Literal["step.verified"] = "step.verified"
    step: int
    verdict: Verdict
    forced: bool


class StepDone(Numbered):
    """Waits for the decision and carries it; an interrupted step has none."""

    type: Literal["step.done"] = "step.done"
    step: int
    verdict: Verdict | None
    repeats: int | None = None
    decision: Decision | None
    interrupted: bool
    num_tokens: int


class Backtracked(Numbered):
    """Follows the `step.done` that decided it; `to_step` 0 is the problem, None unknown."""

    type: Literal["backtracked"] = "backtracked"
    from_step: int
    to_depth: int | None
    to_step: int | None


class Intervention(Numbered):
    """The server cut in; forced tokens are never passed off as the model's own.

    `num_context_tokens` is what the model then has in its context, prompt and forced tokens included.
    """

    type: Literal["intervention"] = "intervention"
    kind: InterventionKind
    step: int | None
    num_forced_tokens: int
    num_context_tokens: int
    detail: str


class Violation(Numbered):
    """The model broke the protocol; its text is kept."""

    type: Literal["violation"] = "violation"
    detail: str
    token_id: int | None
    text: str


class ReasoningDone(Numbered):
    type: Literal["reasoning.done"] = "reasoning.done"
    ended_by: EndedBy
    num_steps: int
    num_backtracks: int
    num_reasoning_tokens: int


class AnswerDelta(Numbered):
    type: Literal["answer.delta"] = "answer.delta"
    text: str


class AnswerDone(Numbered):
    type: Literal["answer.done"] = "answer.done"
    text: str
    num_tokens: int
    finish_reason: FinishReason


class Usage(Numbered):
    """Tokens of the generation; forced ones are part of the reasoning and of the completion."""

    type: Literal["usage"] = "usage"
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    answer_tokens: int
    forced_tokens: int


class Done(Numbered):
    type: Literal["done"] = "done"
    finish_reason: FinishReason


class Failed(Numbered):
    type: Literal["error"] = "error"
    message: str
    code: str


class Cancelled(Numbered):
    type: Literal["cancelled"] = "cancelled"


Event = Annotated[
    ReasoningStarted
    | StepStarted
    | SectionStarted
    | SectionDelta
    | SectionDone
    | StepVerified
    | StepDone
    | Backtracked
    | Intervention
    | Violation
    | ReasoningDone
    | AnswerDelta
    | AnswerDone
    | Usage
    | Done
    | Failed
    | Cancelled,
    Field(discriminator="type"),
]
EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
