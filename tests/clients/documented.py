"""The blocks of docs/clients.md, as a reader would paste them."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What the page calls the server and its model.
URL, MODEL = "http://127.0.0.1:8000", "steiner-tiny"


def blocks(heading: str, language: str) -> list[str]:
    """Blocks of one language below a heading."""
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    [section] = [text for text in sections if text.startswith(f"{heading}\n")]
    found = [block for name, block in BLOCK.findall(section) if name == language]
    assert found, f"no {language} below {heading}"
    return found


def for_server(block: str, url: str, model: str) -> str:
    """The block with the address and the model's name of a server that a test has started."""
    return block.replace(URL, url).replace(MODEL, model)
