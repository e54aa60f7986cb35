"""The live view in a browser: what a person does on the page, and how a test reads what a person sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROBLEM = "make 22 from 15 4 11"


@dataclass(frozen=True, slots=True)
class Node:
    """A card of the tree as it is drawn and read out."""

    node: int
    parent: str
    level: int
    standing: str | None
    is_forced: bool
    is_live: bool
    text: str


@dataclass(frozen=True, slots=True)
class View:
    """The page; `run` is A, or B of two that are compared.

    Attributes:
        errors: what the console calls an error: exceptions, refusals by the policy, answers of 400 and more.
    """

    page: Any
    errors: list[str] = field(default_factory=list)

    def expect_error(self, said: str) -> None:
        """One that the test has caused."""
        [expected] = [error for error in self.errors if said in error]
        self.errors.remove(expected)

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.wait_for_selector("#runs article")

    def ask(self, problem: str = PROBLEM) -> None:
        self.page.get_by_label("Problem").first.fill(problem)
        self.page.get_by_role("button", name="Ask", exact=True).click()

    def open_files(self, *paths: Any) -> None:
        """As the button does, or a drop; what was shown before is gone afterwards."""
        self.page.evaluate(
            "() => document.querySelectorAll('article').forEach((run) => { run.dataset.old = '1'; })"
        )
        self.page.locator("#file").set_input_files(paths)
        self.page.wait_for_selector("article:not([data-old])")
        self.settle()

    def wait_for(self, state: str, run: str = "A") -> None:
        self.page.wait_for_selector(f'article[data-run="{run}"][data-state="{state}"]', timeout=20_000)
        self.settle()

    def settle(self) -> None:
        """Until what came is drawn."""
        self.page.evaluate(
            "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )

    def nodes(self, run: str = "A") -> list[Node]:
        """Cards in the order in which they came."""
        cards = self.page.evaluate(
            """(run) => [...document.querySelectorAll(`article[data-run="${run}"] .card`)].map((card) => ({
              node: Number(card.dataset.node), parent: card.dataset.parent, level: Number(card.ariaLevel),
              standing: card.dataset.standing ?? null, is_forced: card.querySelector(".card-forced") !== null,
              is_live: card.classList.contains("live"), text: card.textContent}))""",
            run,
        )
        return [Node(**card) for card in cards]

    def returns(self, run: str = "A") -> list[tuple[int, int]]:
        """The ways back that are drawn, as (from, to)."""
        pairs = self.page.evaluate(
            """(run) => [...document.querySelectorAll(`article[data-run="${run}"] .return`)]
              .map((way) => [Number(way.dataset.from), Number(way.dataset.to)])""",
            run,
        )
        return [(start, end) for start, end in pairs]

    def detail(self, run: str = "A") -> str:
        text: str = self.page.locator(f'article[data-run="{run}"] .detail').inner_text()
        return text

    def gauge(self, name: str, run: str = "A") -> str:
        gauge = self.page.locator(f'article[data-run="{run}"] [data-gauge="{name}"] dd')
        text: str = gauge.inner_text()
        return text

    def save(self, kind: str, run: str = "A") -> bytes:
        """What a button of the row Save downloads."""
        with self.page.expect_download() as download:
            self.page.locator(f'article[data-run="{run}"] [data-export="{kind}"]').click()
        content: bytes = download.value.path().read_bytes()
        return content
