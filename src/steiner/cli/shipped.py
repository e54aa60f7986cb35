"""Where to find the weights that come with Steiner."""

from pathlib import Path

from steiner.cli.fetched_models import resolved
from steiner.reasoning.errors import SteinerError

SHIPPED = Path("models/steiner-tiny")


class MissingModelError(SteinerError):
    """No checkpoint is in the places where one may be."""


def find_model(model: Path | None) -> Path:
    """The checkpoint folder: the one named, else the shipped one in the working directory or the checkout.

    Args:
        model: a folder, or the name of a model that was fetched.

    Raises:
        NotFetchedError: it is such a name, and has not been fetched.
        MissingModelError: none of them is a folder with a config.json.
    """
    checkout = Path(__file__).resolve().parents[3]
    candidates = [Path(resolved(str(model)))] if model else [SHIPPED, checkout / SHIPPED]
    for candidate in candidates:
        if (candidate / "config.json").is_file():
            return candidate
    raise MissingModelError(
        f"No model in {' or '.join(map(str, candidates))} (a folder with config.json). "
        "Run this in a checkout of Steiner, or name a checkpoint."
    )
