"""Where the weights are that come with Steiner."""

from pathlib import Path

from steiner.reasoning.errors import SteinerError

SHIPPED = Path("models/steiner-tiny")


class MissingModelError(SteinerError):
    """There is no checkpoint where one was looked for."""


def find_model(model: Path | None) -> Path:
    """The checkpoint folder: the one named, else the shipped one in the working directory or the checkout.

    Raises:
        MissingModelError: no folder with a config.json is there.
    """
    checkout = Path(__file__).resolve().parents[3]
    candidates = [model] if model else [SHIPPED, checkout / SHIPPED]
    for candidate in candidates:
        if (candidate / "config.json").is_file():
            return candidate
    raise MissingModelError(
        f"No model in {' or '.join(map(str, candidates))} (a folder with config.json). "
        "Run this in a checkout of Steiner, or name a checkpoint."
    )
