"""The table of endings in docs/streams.md: every row names its test, and those of some rows are here."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.server.engine.base import EngineError, EngineRefusal
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

from .step_stream import BODY, begin, events_of, id_of, resume

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (EngineError("out of blocks at /secret/path"), "engine_error", "it can be sent again"),
        (EngineRefusal("the prompt is too long"), "invalid_request", "the prompt is too long"),
        (KeyError("a mistake of ours"), "internal_error", "the server's log has it"),
    ],
    ids=["failure", "refusal", "mistake"],
)
def test_an_engine_that_fails_ends_the_stream_in_an_error(
    stage: Any, serve: Any, raised: Exception, code: str, said: str
) -> None:
    script = Script(stage.ids_of(f"<start>{stage.step()}"), raises=raised)  # type: ignore[arg-type]
    served = serve(ScriptedEngine([script]))
    content = httpx.post(f"{served.url}/v1/reasoning", json=BODY).content
    *_, usage, error = events_of(content)
    assert (usage["type"], error["type"], error["code"]) == ("usage", "error", code)
    assert said in error["message"]
    assert "secret" not in error["message"]
    assert resume(served.url, id_of(content)).content == content
    assert httpx.get(f"{served.url}/health").status_code == 200


def test_a_generation_that_runs_out_of_tokens_is_done_for_its_length(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    content = httpx.post(f"{served.url}/v1/reasoning", json=BODY | {"max_tokens": 20}).content
    assert [event["type"] for event in events_of(content)][-2:] == ["usage", "done"]
    assert events_of(content)[-1]["finish_reason"] == "length"
    assert events_of(content)[-2]["completion_tokens"] == 20


def test_a_drain_that_is_over_cancels(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True))
    name = id_of(begin(served.url, 10))
    drained = asyncio.run_coroutine_threadsafe(served.service.generations.drain(0), served.loop)
    assert drained.result(timeout=10) == 1
    assert [event["type"] for event in events_of(resume(served.url, name).content)][-2:] == [
        "usage",
        "cancelled",
    ]
    assert len(served.engine.aborted) == 1


def test_each_row_of_the_table_names_a_test() -> None:
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    table = text[text.index("## How a stream ends") : text.index("## Resuming")]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 12
    for row in rows:
        found = re.search(r"`(test_\w+)\.(test_\w+)` \|$", row)
        assert found, row
        [path] = (ROOT / "tests").rglob(f"{found[1]}.py")
        assert f"def {found[2]}(" in path.read_text(encoding="utf-8"), row


def test_the_documented_defaults_are_the_settings() -> None:
    from steiner.server.settings import Settings

    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `STEINER_(\w+)` \| ([^|]*?) \|", text, flags=re.MULTILINE))
    assert {"STORE", "RETENTION_S", "MAX_STREAM_BYTES", "SEND_TIMEOUT_S"} <= set(documented)
    defaults = Settings()
    for name, shown in documented.items():
        value = getattr(defaults, name.lower())
        assert value is None or shown.replace(" ", "").strip("`") == (
            f"{value:g}" if isinstance(value, float) else str(value)
        ), name
