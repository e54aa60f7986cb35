"""The example of docs/tools.md, as it stands there."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from steiner.reasoning.parser.tool_calls import call_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tools.md"


def test_the_example_runs(stage: Any, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoning = stage.one_step.split("<end>")[0] + "<end>"
    call = f"{call_text('get_weather', {'city': 'Oslo'})}<eot>"
    engine = stage.engine(reasoning, call, reasoning, "It is warm.<eot>")
    served = serve(engine)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example.replace("steiner-tiny", "tiny"), str(PAGE), "exec"), {})
    assert printed.getvalue() == "It is warm.\n"
    assert "Oslo: 21 degrees" in stage.tokenizer.decode(engine.requests[-1].prompt_ids)
