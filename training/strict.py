"""What every section of a recipe is: unknown keys are refused, and nothing changes after it was read."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A section of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)
