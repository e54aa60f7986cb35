"""The client's program in docs/clients.md, as it stands there."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from .documented import blocks


def test_the_documented_program_runs(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    [program] = blocks("Python", "python")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program.replace("http://127.0.0.1:8000", served.url), "docs/clients.md", "exec"), {})
    assert said.getvalue() == "1 verified \n2 refuted \n3 verified \nmake 22 [0, 1, 1]\n"
