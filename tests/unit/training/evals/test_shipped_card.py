"""The card beside the shipped weights is what its reports give, so that nobody has to believe a table."""

import shutil
from pathlib import Path

from steiner.training.evals.model_card import write_model_card

SHIPPED = Path(__file__).parents[4] / "models" / "steiner-tiny"


def test_the_card_is_rebuilt_from_its_reports(tmp_path: Path) -> None:
    copy = tmp_path / "steiner-tiny"
    shutil.copytree(SHIPPED / "eval", copy / "eval")
    shutil.copy(SHIPPED / "training.json", copy)
    card = write_model_card(copy)
    assert card.read_text(encoding="utf-8") == (SHIPPED / "README.md").read_text(encoding="utf-8")
    drawn = {path.name for path in copy.glob("eval/*.svg")}
    assert drawn == {path.name for path in SHIPPED.glob("eval/*.svg")}
