"""The page on protocols says what the code has."""

import re
from pathlib import Path

from steiner.reasoning.protocols import PROTOCOLS
from steiner.reasoning.protocols.think import THINK

PAGE = (Path(__file__).resolve().parents[4] / "docs/protocols.md").read_text()


def test_the_data_that_it_walks_through_is_the_protocol() -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    said: dict[str, object] = {}
    exec(block, said)
    assert said["THINK"] == THINK


def test_it_names_every_protocol_in_the_order_in_which_they_are_looked_for() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|.*\|.*\|.*\|", PAGE, re.MULTILINE)[: len(PROTOCOLS)] == [*PROTOCOLS]


def test_every_path_that_it_names_exists() -> None:
    root = Path(__file__).resolve().parents[4]
    paths = re.findall(r"`((?:reasoning|server|tests|docs)/[\w/.]+)`", PAGE)
    assert len(paths) > 5
    for path in paths:
        assert (root / path).exists(), path
