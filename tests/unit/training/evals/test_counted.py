"""Where nobody watches, every tenth is told."""

import pytest

from steiner.training.evals.suite import counted


@pytest.mark.parametrize(
    ("total", "told"), [(40, [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]), (3, [1, 2, 3]), (0, [])]
)
def test_a_line_at_every_tenth(total: int, told: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    with counted("held-out", total) as advance:
        for _ in range(total):
            advance()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" after ")[0] for line in lines] == [f"held-out: {n} of {total}" for n in told]
