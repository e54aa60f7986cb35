"""By keyboard alone, read out, in the dark, on a narrow screen, in three languages; and with hostile text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from steiner.view.page import FOLDER

from .golden_trees import FOLDER as GOLDEN

HOSTILE = (
    "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'> &lt;b&gt; "
    "</script><svg onload=window.broken=1> \u202eesrever\u202c \u2066isolate javascript:alert(1) ${broken}"
)


@pytest.fixture
def opened(view: Any, stage: Any, serve: Any) -> Any:
    view.open(f"{serve(stage.engine(stage.one_step)).url}/view")
    view.page.wait_for_selector('select[name="model-A"] option', state="attached")
    return view


def violations(page: Any) -> list[str]:
    """Serious findings of axe-core; it is put in as the browser's own script, so the page's policy stays as it is."""
    response = Axe().run(page).response
    assert len(response["passes"]) > 20
    return [
        f"{rule['id']}: {rule['nodes'][0]['html'][:120]}"
        for rule in response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 380])
def test_axe_finds_nothing_serious(opened: Any, scheme: str, width: int) -> None:
    opened.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert violations(opened.page) == []
    opened.open_files(GOLDEN / "forced.jsonl", GOLDEN / "budget.jsonl")
    for details in opened.page.locator("details").all():
        details.evaluate("(part) => { part.open = true; }")
    assert violations(opened.page) == []


@pytest.mark.parametrize("width", [320, 1400])
def test_nothing_is_wider_than_the_screen(opened: Any, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.open_files(GOLDEN / "forced.jsonl")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_keys_alone_ask_walk_the_tree_and_read_a_step(view: Any, stage: Any, serve: Any) -> None:
    view.open(f"{serve(stage.engine(stage.with_backtrack)).url}/view")
    page = view.page
    tab_to(page, "textarea[name=prompt]")
    page.keyboard.type("make 22 from 15 4 11")
    page.keyboard.press("Control+Enter")
    view.wait_for("done")
    tab_to(page, '.card[tabindex="0"]')
    focused = "Number(document.activeElement.dataset.node)"
    walked = [page.evaluate(focused)]
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        walked.append(page.evaluate(focused))
    assert walked == [-1, 0, 1, 2, 3, -1, 3, 2, 1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert "Step 2" in page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == 2


def test_a_branch_folds_and_unfolds(opened: Any) -> None:
    opened.open_files(GOLDEN / "forced.jsonl")
    page = opened.page
    shown = "[...document.querySelectorAll('.card:not([hidden])')].map((card) => Number(card.dataset.node))"
    page.locator('[data-node="2"]').click()
    assert page.locator('[data-node="2"]').get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowLeft")
    assert page.locator('[data-node="2"]').get_attribute("aria-expanded") == "false"
    assert page.evaluate(shown) == [0, 1, 2, 4, 5, 6, -1]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(shown) == [0, 1, 2, 3, 4, 5, 6, -1]
    page.get_by_label("Fold refuted branches").check()
    assert page.evaluate(shown) == [0, 1, 2, 4, 5, 6, -1]
    # Rows of what is folded are free: nothing stands on anything.
    places = page.evaluate(
        "[...document.querySelectorAll('.card:not([hidden])')].map((card) => `${card.style.left} ${card.style.top}`)"
    )
    assert len(set(places)) == len(places)


def test_what_happens_is_read_out_politely(shown: Any, stage: Any) -> None:
    view = shown(stage.with_backtrack)
    region = view.page.locator("#announcer")
    assert region.get_attribute("aria-live") == "polite"
    view.page.wait_for_selector("#announcer >> text=Answer: make 22", state="attached")
    assert "Back to Step 1." in region.inner_text()


def test_every_language_has_every_word() -> None:
    words = {
        language: dict(
            re.findall(r'^  "?([\w.-]+)"?:\s+"(.*)",$', (FOLDER / f"words_{language}.js").read_text(), re.M)
        )
        for language in ("en", "ja", "zh")
    }
    sources = "".join(path.read_text() for path in FOLDER.glob("*.js") if not path.name.startswith("words"))
    used = set(re.findall(r'\bt\("([\w.-]+)"', sources))
    used |= set(re.findall(r'data-(?:text|label)": "([\w.-]+)"', sources))
    used |= set(re.findall(r'data-(?:text|label)="([\w.-]+)"', (FOLDER / "index.html").read_text()))
    for language, told in words.items():
        assert told.keys() == words["en"].keys(), language
        assert used <= told.keys()
        for key, text in told.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", words["en"][key])), key


@pytest.mark.parametrize(("language", "answer"), [("ja", "回答"), ("zh", "答案")])
def test_a_shown_run_changes_its_language(opened: Any, language: str, answer: str) -> None:
    opened.open_files(GOLDEN / "forced.jsonl")
    opened.page.locator("#language").select_option(language)
    opened.settle()
    assert opened.nodes()[-1].text.startswith(answer)
    texts = opened.page.locator("main").inner_text()
    for word in ("Timeline", "Backtracks", "verified", "Understanding"):
        assert word not in texts


def test_hostile_text_of_a_model_stays_text(view: Any, stage: Any, serve: Any) -> None:
    step = stage.step().replace("left 1", HOSTILE)
    view.open(
        f"{serve(stage.engine(f'<start>{step}<end>{HOSTILE}<eot>'), max_request_bytes=1 << 22).url}/view"
    )
    view.ask(HOSTILE)
    view.wait_for("done")
    assert view.page.evaluate("window.broken") is None
    assert view.page.locator("main img, main script").count() == 0
    view.page.locator('[data-node="1"]').click()
    shown = view.page.locator('.part[data-role="understanding"] .text').inner_text()
    assert "<script>window.broken = 1</script><img src=x onerror=" in shown
    # Marks that would turn what stands around them round are made visible.
    assert "\ufffdesrever\ufffd" in shown
    assert "\u202e" not in view.page.locator("body").inner_text()
    svg = view.save("SVG")
    assert b"<script" not in svg
    assert b"<img" not in svg
    assert b"&lt;script&gt;" in svg
    mermaid = view.save("Mermaid").decode()
    assert "<script" not in mermaid
    assert view.page.evaluate("window.broken") is None
    page = view.save("HTML").decode()
    assert "\\u003cscript>window.broken" in page
    assert page.count("</script>") == 2


def test_a_section_of_a_megabyte_does_not_hold_up_the_page(opened: Any, tmp_path: Path) -> None:
    lines = (GOLDEN / "forced.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    long = "a word or two " * 75_000
    for event in events:
        if event["type"] in ("section.delta", "section.done") and event["step"] == 5:
            event["text"] = long if event["type"] == "section.done" else ""
    saved = tmp_path / "long.jsonl"
    saved.write_text("\n".join(map(json.dumps, events)))
    opened.open_files(saved)
    assert len(opened.nodes()) == 8
    opened.page.locator('[data-node="5"]').click()
    part = opened.page.locator('.part[data-role="understanding"]')
    assert part.locator(".text").evaluate("(text) => text.textContent.length") == 20_000
    part.get_by_role("button", name="Show all 1,050,000 characters").click()
    assert (
        opened.page.locator('.part[data-role="understanding"] .text').evaluate(
            "(text) => text.textContent.length"
        )
        == 1_050_000
    )


def tab_to(page: Any, selector: str, most: int = 60) -> None:
    """Press Tab until what the selector names has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by the keyboard")
