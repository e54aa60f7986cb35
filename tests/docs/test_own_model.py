"""docs/guide/own-model.md, pasted into a shell as it stands: a model is trained, served, asked and measured.

Here and not beside the other examples, so that it is over before the server starts that those share.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guide" / "own-model.md").read_text(encoding="utf-8")


def test_the_page_leads_to_a_served_model(tmp_path: Path, new_port: int) -> None:
    for name in ("examples", "training"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5
    script = "set -euo pipefail\n" + "".join(blocks).replace("8010", str(new_port))
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={"VLLM_CPU_OMP_THREADS_BIND": "nobind"} | os.environ,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=500,
            check=False,
        )
    said = log.read_text(errors="replace")
    assert done.returncode == 0, said[-4000:]
    assert (tmp_path / "runs" / "smoke" / "export" / "model.safetensors").is_file()
    assert "Serve it: steiner serve" in said
    assert "make 22 from 15 4 11\n├─ step 1" in said
    assert "answer" in said
    report = json.loads((tmp_path / "runs" / "eval" / "report.json").read_text())
    assert report
