"""Programs of other people: where one is missing, the test says how to get it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}


def find_program(name: str) -> str:
    """Path of an installed program; fails the test that needs it where it is missing."""
    # Debian keeps servers out of an ordinary user's path.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail(f"{name} is not installed: apt-get install {PACKAGES[name]} (CONTRIBUTING.md)")
    return found


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Path of a program by its name."""
    return find_program


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium. Not for the whole session: Playwright keeps an event loop, beside which no other runs."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    flags += ["--disable-sync", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_program("chromium"), args=flags)
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
