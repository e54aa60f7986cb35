"""The limits a search must keep, as a deployment sets them and as a request may ask for them."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from steiner.reasoning.protocol import MAX_DEPTH, Protocol, SectionRole

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high"]
MAX_MIN_STEPS = 32
"""Largest minimum: the grammar counts the steps up to it, so each one multiplies its rules."""
MAX_BIAS = 100.0
"""Largest bias on a logit, as OpenAI's `logit_bias` has it."""


class Policy(BaseModel):
    """Limits of one generation.

    Attributes:
        min_steps: steps before the model may end its reasoning; a maximum that is reached outranks it.
        max_steps: steps in all, refuted ones too.
        max_depth: length of the live path.
        max_backtracks: backtracks in all.
        max_reasoning_tokens: tokens between the start and the end of reasoning, those that close it included; a hard
            upper bound; 0 answers at once; None leaves only the model's length.
        max_section_tokens: tokens of text in one section.
        section_tokens: the same for single roles, before `max_section_tokens`.
        allow_change_of_mind: whether a verified step may be followed by a backtrack.
        backtrack_bias: added to the logit of the backtrack token wherever it is sampled.
        end_bias: the same for the token that ends the reasoning.
        verifier: name of the checker whose verdicts outrank the model's; None leaves all to the model.
        refute_repeats: whether a step that repeats an earlier one at the same place, or an ancestor's understanding, is
            refuted by force.
        memory: whether abandoned branches give way, in the model's context, to the summary of the step that turned
            back; for models that were trained so.
        constrained: whether decoding is constrained to the protocol at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_steps: int = Field(default=1, ge=1, le=MAX_MIN_STEPS)
    max_steps: int = Field(default=32, ge=1)
    max_depth: int = Field(default=16, ge=1, le=MAX_DEPTH)
    max_backtracks: int = Field(default=16, ge=0)
    max_reasoning_tokens: int | None = Field(default=None, ge=0)
    max_section_tokens: int = Field(default=1024, ge=1)
    section_tokens: dict[SectionRole, int] = Field(default_factory=dict)
    allow_change_of_mind: bool = False
    backtrack_bias: float = Field(default=0.0, ge=-MAX_BIAS, le=MAX_BIAS)
    end_bias: float = Field(default=0.0, ge=-MAX_BIAS, le=MAX_BIAS)
    verifier: str | None = None
    refute_repeats: bool = True
    memory: bool = False
    constrained: bool = True

    @field_validator("max_steps", mode="before")
    @classmethod
    def _zero_steps_is_a_budget(cls, value: Any) -> Any:
        if value == 0 and not isinstance(value, bool):
            raise ValueError(
                "max_steps must be at least 1; to answer without any step set max_reasoning_tokens to 0"
            )
        return value

    @field_validator("section_tokens")
    @classmethod
    def _section_limits_are_positive(cls, limits: dict[SectionRole, int]) -> dict[SectionRole, int]:
        for role, limit in limits.items():
            if limit < 1:
                raise _contradiction(
                    f"section_tokens.{role}", f"section_tokens.{role} must be at least 1, given {limit}"
                )
        return limits

    @model_validator(mode="after")
    def _limits_can_be_kept(self) -> Self:
        if self.min_steps > self.max_steps:
            raise _contradiction(
                "min_steps", f"min_steps ({self.min_steps}) must not be above max_steps ({self.max_steps})"
            )
        return self

    def section_limit(self, role: SectionRole) -> int:
        """Tokens of text that a section of this role may have."""
        return self.section_tokens.get(role, self.max_section_tokens)

    @classmethod
    def for_effort(cls, effort: ReasoningEffort, protocol: Protocol | None = None) -> "Policy":
        """What an OpenAI `reasoning_effort` stands for; a protocol without steps gives it a budget of tokens."""
        budgets = {} if protocol is None else dict(protocol.effort_tokens)
        budget = {"max_reasoning_tokens": budgets[effort]} if effort in budgets else {}
        return cls(**_EFFORTS[effort], **budget)


def _contradiction(param: str, message: str) -> PydanticCustomError:
    """A refusal that names the field where pydantic would name the object that it stands in."""
    return PydanticCustomError("contradiction", "{message}", {"message": message, "param": param})


_EFFORTS: dict[ReasoningEffort, dict[str, Any]] = {
    "none": {"max_reasoning_tokens": 0},
    "minimal": {"max_steps": 4, "max_backtracks": 2},
    "low": {"max_steps": 12, "max_backtracks": 8},
    "medium": {},
    "high": {"max_steps": 128, "max_depth": 32, "max_backtracks": 96},
}
