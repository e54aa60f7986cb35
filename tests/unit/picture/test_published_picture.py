"""The picture in the guide is what the command above it makes."""

from pathlib import Path

from steiner.cli.show_trace import Drawings
from steiner.reasoning.trace import Trace

ROOT = Path(__file__).resolve().parents[3]
PICTURES = ROOT / "docs" / "pictures"
COMMAND = (
    'steiner trace docs/pictures/tree.json --problem "$(cat docs/pictures/tree.txt)" '
    "--image docs/pictures/tree.svg"
)


def test_it_is_current(tmp_path: Path) -> None:
    trace = Trace.model_validate_json((PICTURES / "tree.json").read_bytes())
    Drawings(svg=tmp_path / "tree.svg").draw(trace, (PICTURES / "tree.txt").read_text().strip())
    assert (tmp_path / "tree.svg").read_text() == (PICTURES / "tree.svg").read_text(), f"run {COMMAND}"
    assert COMMAND in (ROOT / "docs/guide/call.md").read_text()
