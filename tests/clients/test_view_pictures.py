"""scripts/make_pictures.py on the search that is kept in docs/pictures: what needs no model."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_pictures.py"
PUBLISHED = SCRIPT.parents[1] / "docs" / "pictures"


def test_a_recorded_search_is_drawn_again(program: Callable[[str], str], tmp_path: Path) -> None:
    assert program("chromium")
    command: list[str | Path] = [
        sys.executable,
        SCRIPT,
        "--trace",
        PUBLISHED / "tree.json",
        "--folder",
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tree.svg").read_bytes() == (PUBLISHED / "tree.svg").read_bytes()
    for folder in (tmp_path, PUBLISHED):
        width, height = struct.unpack(">II", (folder / "view.png").read_bytes()[16:24])
        assert (width, height) == (1400, 840)
