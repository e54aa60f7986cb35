"""Outcomes are read as they were written, by condition."""

from pathlib import Path

import pytest

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.outcome_files import OutcomesError, read_outcomes, write_outcomes

SAID = [
    Outcome("routes", 3, "道 Rome", answer="Rome Oslo", right=True, sampling_seed=2),
    Outcome("routes", 3, "道 Rome", condition="unconstrained"),
]


def test_they_come_back_by_condition(tmp_path: Path) -> None:
    write_outcomes(SAID, tmp_path / "outcomes.jsonl")
    assert read_outcomes(tmp_path) == SAID[:1]
    assert read_outcomes(tmp_path, "unconstrained") == SAID[1:]
    assert read_outcomes(tmp_path, None) == SAID


def test_a_condition_that_was_not_asked_names_those_that_were(tmp_path: Path) -> None:
    write_outcomes(SAID, tmp_path / "outcomes.jsonl")
    with pytest.raises(
        OutcomesError, match=r"no outcomes of '4 steps'; it has \['held-out', 'unconstrained'\]"
    ):
        read_outcomes(tmp_path, "4 steps")


@pytest.mark.parametrize(
    "text", [None, "{", '{"family": "routes"}\n', "[]\n", '{"family": 1, "size": 1, "prompt": 1, "x": 1}\n']
)
def test_what_is_no_outcome_is_said(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "outcomes.jsonl").write_text(text)
    with pytest.raises(OutcomesError, match=r"outcomes\.jsonl"):
        read_outcomes(tmp_path)
