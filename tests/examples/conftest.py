"""The examples run on the server of steiner-tiny that other tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the server with random weights: the examples show what a trained model says.

    The fixture keeps its parameters, so that pytest groups these tests with those of the same server and starts none.
    """
    others = [
        item
        for item in items
        if HERE in item.path.parents
        and getattr(item, "callspec", None) is not None
        and item.callspec.params.get("server", "steiner-tiny") != "steiner-tiny"  # type: ignore[attr-defined]
    ]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
