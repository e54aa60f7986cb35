"""The typed events of a reasoning stream: a union tagged by `type`, numbered from 1 without gaps."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from steiner.reasoning.answer import AnswerToken, ToolCall
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import SectionRole, Verdict
from steiner.reasoning.steps import Decision

EndedBy = Literal[
    "model", "max_steps", "max_depth", "max_backtracks", "max_reasoning_tokens", "loop", "verifier"
]
InterventionKind = Literal["budget", "verifier", "loop", "memory", "answer"]
FinishReason = Literal["stop", "length", "tool_calls"]


class Numbered(BaseModel):
    """Number 0 means not numbered yet: `Parser.emit` gives the next number of its stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sequence_number: int = 0


class ReasoningStarted(Numbered):
    """Opens every stream.

    Attributes:
        id: under which the generation is resumed, read and cancelled (`rsn_...`).
        protocol: names the markers and sections of the model.
        policy: the limits and rules that hold, those of the deployment included.
    """

    type: Literal["reasoning.started"] = "reasoning.started"
    id: str
    model: str
    protocol: str
    policy: Policy


class StepStarted(Numbered):
    """A step begins; what follows up to its `step.done` belongs to it.

    Attributes:
        step: id, counted from 1 in the order of the stream.
        depth: length of the path from the problem to this step; null where the protocol leaves it unknown.
        parent: the step that this one continues; 0 is the problem, null unknown.
    """

    type: Literal["step.started"] = "step.started"
    step: int
    depth: int | None
    parent: int | None


class SectionStarted(Numbered):
    """A section of the open step begins; `role` is the same in every protocol, `name` is the protocol's own."""

    type: Literal["section.started"] = "section.started"
    step: int
    role: SectionRole
    name: str


class SectionDelta(Numbered):
    """More text of the open section; the deltas of a section together are the text of its `section.done`."""

    type: Literal["section.delta"] = "section.delta"
    step: int
    role: SectionRole
    text: str


class SectionDone(Numbered):
    """The section has ended, or was ended with its step; `text` is all of it."""

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
    """The search is over and the answer follows; a generation that stops inside the reasoning has none.

    Attributes:
        ended_by: `model` where the end was its own choice, else the limit or the intervention that left no other.
        num_steps: refuted and interrupted steps included.
        num_reasoning_tokens: tokens between the start and the end of reasoning, forced ones included.
    """

    type: Literal["reasoning.done"] = "reasoning.done"
    ended_by: EndedBy
    num_steps: int
    num_backtracks: int
    num_reasoning_tokens: int


class AnswerDelta(Numbered):
    """More text of the answer; the deltas together are the text of `answer.done`.

    Attributes:
        logprobs: where they were asked for, of the tokens that begin in this text; each token is given once.
    """

    type: Literal["answer.delta"] = "answer.delta"
    text: str
    logprobs: tuple[AnswerToken, ...] | None = None


class ToolCallStarted(Numbered):
    """The answer calls a function; its arguments follow.

    Attributes:
        index: counts the calls of the answer from 0.
        id: by which a tool message refers to the call (`call_...`).
        name: of the function.
    """

    type: Literal["tool_call.started"] = "tool_call.started"
    index: int
    id: str
    name: str


class ToolCallDelta(Numbered):
    """More of a call's arguments, as text of JSON; the deltas together are the arguments of its `tool_call.done`."""

    type: Literal["tool_call.delta"] = "tool_call.delta"
    index: int
    arguments: str


class ToolCallDone(Numbered):
    """The call is whole; one that runs out of tokens has no such event."""

    type: Literal["tool_call.done"] = "tool_call.done"
    index: int
    id: str
    name: str
    arguments: str


class AnswerDone(Numbered):
    """The answer has ended, or was cut off where `finish_reason` is `length`.

    Attributes:
        text: all of it, without calls.
        num_tokens: those of calls and of a stop string included.
        stop_reason: the stop string, or the id of the stop token, of the request that ended it.
        tool_calls: the whole calls, in order.
    """

    type: Literal["answer.done"] = "answer.done"
    text: str
    num_tokens: int
    finish_reason: FinishReason
    stop_reason: str | int | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class Usage(Numbered):
    """Tokens of the generation; forced ones are part of the reasoning and of the completion.

    Attributes:
        total_tokens: prompt and completion together.
        cached_tokens: of the prompt, those that the engine's prefix cache had; 0 where the engine does not tell.
    """

    type: Literal["usage"] = "usage"
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int = Field(
        default_factory=lambda counts: counts["prompt_tokens"] + counts["completion_tokens"]
    )
    reasoning_tokens: int
    answer_tokens: int
    forced_tokens: int
    cached_tokens: int = 0


class Done(Numbered):
    """The last event of a generation that ran to its end.

    Attributes:
        finish_reason: `length` where it ran out of tokens, `tool_calls` where the answer has calls.
    """

    type: Literal["done"] = "done"
    finish_reason: FinishReason


class Failed(Numbered):
    """The last event of a generation that the server had to give up; `code` is for programs, `message` for people."""

    type: Literal["error"] = "error"
    message: str
    code: str


class Cancelled(Numbered):
    """The last event of a generation that was cancelled; what came before it stands, and so does its trace."""

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
    | ToolCallStarted
    | ToolCallDelta
    | ToolCallDone
    | AnswerDone
    | Usage
    | Done
    | Failed
    | Cancelled,
    Field(discriminator="type"),
]
EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)

TERMINAL_TYPES = frozenset({"done", "error", "cancelled"})
"""A stream ends in exactly one of these."""
