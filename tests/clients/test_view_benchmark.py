"""benchmarks/view.py measures what it says, here of a short search."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "view.py"


def test_it_measures_every_step_and_every_frame(program: Callable[[str], str], tmp_path: Path) -> None:
    assert program("chromium")
    figures = tmp_path / "figures.json"
    command: list[str | Path] = [sys.executable, SCRIPT, "--steps", "40", "--pace-ms", "1", "--json", figures]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "| steps shown | 40 |" in done.stdout
    measured = json.loads(figures.read_text())
    middle, p95, p99, longest = measured["frames_ms"]
    assert 0 < middle <= p95 <= p99 <= longest
    assert measured["heap_mib"] > measured["empty_heap_mib"]
    assert measured["dom_nodes"] > 40
