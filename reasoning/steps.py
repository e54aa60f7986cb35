"""One step of a trace: its sections, its verdict and the decision behind it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from steiner.reasoning.protocol import SectionRole, Verdict


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Proceed(_Frozen):
    """Go on from this step."""

    type: Literal["proceed"] = "proceed"


class Backtrack(_Frozen):
    """Go back to a step of the live path; 0 is the problem, None a protocol that does not say where to."""

    type: Literal["backtrack"] = "backtrack"
    to_depth: int | None


class End(_Frozen):
    """End the reasoning."""

    type: Literal["end"] = "end"


Decision = Annotated[Proceed | Backtrack | End, Field(discriminator="type")]


class Section(_Frozen):
    """Text of one section.

    Attributes:
        name: as the protocol calls it.
        num_tokens: tokens of the text, markers and verdict excluded.
    """

    role: SectionRole
    name: str
    text: str
    num_tokens: int


class Step(_Frozen):
    """One node of the tree.

    Attributes:
        id: 1 for the first step, in the order of generation.
        depth: position on the live path, 1 for a child of the problem; None where the protocol leaves it unknown.
        parent: id of the step it continues, 0 for the problem, None where unknown.
        verdict_forced: the verdict is a verifier's, or one on a repeated step, and not the model's.
        repeats: id of the earlier step that this one was found to repeat.
        interrupted: closed early; such a step has no verdict that it did not earn.
        num_tokens: all tokens from the start of the step to its end marker.
        started_s: seconds since the generation began; `finished_s` alike.
    """

    id: int
    depth: int | None
    parent: int | None
    sections: tuple[Section, ...] = ()
    verdict: Verdict | None = None
    verdict_forced: bool = False
    repeats: int | None = None
    decision: Decision | None = None
    decision_forced: bool = False
    interrupted: bool = False
    num_tokens: int = 0
    started_s: float = 0.0
    finished_s: float | None = None

    def text_of(self, role: SectionRole) -> str:
        """Text of the section with this role, "" where there is none."""
        return next((section.text for section in self.sections if section.role == role), "")
