"""The documentation site: it builds without a warning, has what the code has, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from steiner.server.app import create_app
from steiner.server.model.service import Service
from steiner.server.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def build(site: Path, config: Path = ROOT / "properdocs.yml") -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "properdocs",
        "build",
        "--strict",
        "-f",
        config,
        "--site-dir",
        site,
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    built = build(folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_make_docs_builds_it_as_these_tests_do() -> None:
    assert "properdocs build --strict" in (ROOT / "Makefile").read_text()


def test_every_command_and_setting_is_in_the_reference(site: Path) -> None:
    settings = (site / "reference" / "settings.html").read_text()
    for name in Settings.model_fields:
        assert f"<code>--{name.replace('_', '-')}</code>" in settings
        assert f"<code>STEINER_{name.upper()}</code>" in settings
    commands = (site / "reference" / "cli.html").read_text()
    for name in ("serve", "ask", "train", "eval", "trace", "plan"):
        assert f"<code>steiner {name}</code>" in commands


def test_every_operation_and_schema_is_in_the_reference(site: Path) -> None:
    document = create_app(Service(Settings(store="memory"), CollectorRegistry())).openapi()
    page = (site / "reference" / "rest.html").read_text()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}<" in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name.lower()}"' in page


def test_the_documented_python_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text()
    for name in (
        "client.ReasoningClient.stream",
        "reasoning.trace.Trace",
        "reasoning.verifiers.find_verifier",
    ):
        assert f'id="steiner.{name}"' in page


def test_reading_it_loads_nothing_from_elsewhere(site: Path, program: Callable[[str], str]) -> None:
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for address in ("index.html", "guide/call.html", "reference/rest.html", "reference/python.html"):
            page.goto((site / address).as_uri(), wait_until="networkidle")
            assert page.locator("h1").first.is_visible()
        browser.close()
    assert len(asked) > 10
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize(
    "link", ["[gone](nowhere.md)", "[gone](guide/serve.md#no-such-part)", "![gone](pictures/nothing.svg)"]
)
def test_a_broken_link_ends_the_build(link: str, tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "properdocs.yml").read_text())
    pages = tmp_path / "docs"
    (pages / "guide").mkdir(parents=True)
    (pages / "guide" / "serve.md").write_text("# Serve\n")
    (pages / "only.md").write_text(f"# Only\n\n{link}\n\n[there](guide/serve.md)\n")
    config |= {"docs_dir": str(pages), "nav": [{"Only": "only.md"}, {"Serve": "guide/serve.md"}]}
    del config["hooks"], config["plugins"]
    (tmp_path / "properdocs.yml").write_text(yaml.safe_dump(config))
    broken = build(tmp_path / "site", tmp_path / "properdocs.yml")
    assert broken.returncode == 1
    assert "1 warnings in strict mode" in broken.stdout + broken.stderr
