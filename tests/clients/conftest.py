"""A real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .view_page import View


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Any]:
    """Debian's Chromium. Not for the whole session: Playwright keeps an event loop, beside which no other runs."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    flags += ["--disable-sync", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; what it logs as an error fails the test."""
    context = browser.new_context()
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors


@pytest.fixture
def view(page: Any) -> Iterator[View]:
    """On a page of ordinary size; errors that the test does not expect fail it."""
    opened = View(page)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.on(
        "console", lambda message: opened.errors.append(message.text) if message.type == "error" else None
    )
    yield opened
    assert not opened.errors


@pytest.fixture
def shown(view: View, stage: Any, serve: Callable[..., Any]) -> Callable[..., View]:
    """Ask a server that plays these texts, and wait for the end."""

    def show(*texts: str, state: str = "done", **settings: object) -> View:
        view.open(f"{serve(stage.engine(*texts), **settings).url}/view")
        view.ask()
        view.wait_for(state)
        return view

    return show
