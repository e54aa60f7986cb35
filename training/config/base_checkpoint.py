"""The part of a recipe for training from a published checkpoint instead of from scratch."""

from pydantic import Field, PositiveFloat, PositiveInt

from steiner.training.config.files import Strict

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Lora(Strict):
    """Low-rank adapters instead of the whole weights (arXiv 2106.09685).

    The special tokens' embedding rows are trained and saved with them; the export merges both.

    Attributes:
        alpha: the adapters' output is scaled by alpha / rank.
        targets: names of the linear layers that get an adapter.
    """

    rank: PositiveInt = 64
    alpha: PositiveFloat = 128.0
    targets: tuple[str, ...] = Field(default=PROJECTIONS, min_length=1)


class BaseCheckpoint(Strict):
    """A Qwen2 checkpoint whose tokenizer gets the protocol's special tokens.

    Attributes:
        base: id on the Hugging Face hub, or a folder.
        revision: commit, tag or branch on the hub.
        max_positions: longest training sequence in tokens; longer ones are left out.
        lora: train adapters instead of all weights.
        config: the fields of the base's config.json that `steiner train --plan` needs if the base is out of reach; a
            base with other values is refused.
    """

    base: str = Field(min_length=1)
    revision: str | None = None
    max_positions: PositiveInt
    lora: Lora | None = None
    config: dict[str, bool | int | float] = Field(default_factory=dict)
