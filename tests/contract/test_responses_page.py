"""docs/responses.md: its examples run, and it names every parameter that is honoured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from steiner.server.api.responses.request import ResponseRequest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "responses.md").read_text(encoding="utf-8")


def test_the_examples_run(stage: Any, serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    example = "".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    example = example.replace("http://127.0.0.1:8000", served.url).replace("steiner-tiny", "tiny")
    exec(compile(example, "docs/responses.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        *("verified | left 1", "refuted | left 2", "verified | left 3", "make 22"),
        *("left 1", "left 2", "left 3", "make 22"),
        "completed 4",
    ]


def test_every_parameter_is_on_the_page() -> None:
    table = PAGE.split("## Parameters")[1]
    assert set(ResponseRequest.model_fields) <= set(re.findall(r"`([a-z_]+)", table))
