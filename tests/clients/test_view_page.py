"""The page as it is served: its policy, its parts, its switch, and nothing from elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import is_held_out
from steiner.view.page import ASSETS, FOLDER


def test_nothing_comes_from_elsewhere_and_nothing_is_refused(shown: Any, stage: Any, view: Any) -> None:
    asked: list[str] = []
    view.page.on("request", lambda request: asked.append(request.url))
    shown(stage.one_step)
    origin = view.page.evaluate("location.origin")
    assert asked
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []


def test_its_policy_is_strict(stage: Any, serve: Any) -> None:
    url = serve(stage.engine(stage.one_step)).url
    for path in ("/view", "/view/rsn_1"):
        answer = httpx.get(url + path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
        assert "unsafe" not in policy
        assert "<style" not in answer.text
        assert "style=" not in answer.text
        assert " on" not in answer.text.split("<body>")[0]


def test_its_parts_are_served_and_no_others(stage: Any, serve: Any) -> None:
    url = serve(stage.engine(stage.one_step), api_key=["sk-of-a-test"]).url
    for name in sorted(ASSETS):
        assert httpx.get(f"{url}/view/assets/{name}").status_code == 200, name
    for name in ("page.py", "..%2fpage.py", "..%2F..%2Fcli.py", "index.html"):
        missing = httpx.get(f"{url}/view/assets/{name}")
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "unknown_route"


def test_it_can_be_switched_off(stage: Any, serve: Any) -> None:
    url = serve(stage.engine(stage.one_step), view=False).url
    for path in ("/view", "/view/rsn_1", "/view/assets/main.js"):
        assert httpx.get(url + path).status_code == 404


def test_its_examples_are_held_out_and_as_the_script_writes_them() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "view_examples.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == (FOLDER / "examples.json").read_text(encoding="utf-8")
    # The other languages have the same problems.
    english = [example for example in json.loads(done.stdout) if example["language"] == "en"]
    assert {example["family"] for example in english} == set(FAMILIES)
    for example in english:
        family = FAMILIES[example["family"]]
        assert is_held_out(family.canonical(family.parse(example["prompt"])))
