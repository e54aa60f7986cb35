"""docs/chat.md: its example runs, and it names every parameter that is honoured."""

import re
from pathlib import Path
from typing import Any

import pytest

from steiner.server.api.chat.request import ChatRequest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "chat.md").read_text(encoding="utf-8")


def test_the_example_runs(stage: Any, serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve(stage.engine(stage.one_step))
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    example = example.replace("http://127.0.0.1:8000", served.url).replace("steiner-tiny", "tiny")
    exec(example, {})
    assert capsys.readouterr().out.splitlines() == ["0 22 1", "1 22 1", "2 22 1", "22"]


def test_every_parameter_is_on_the_page() -> None:
    named = set(re.findall(r"`([a-z_]+)", PAGE))
    assert set(ChatRequest.model_fields) <= named
