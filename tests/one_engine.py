"""Which process of pytest-xdist runs which tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).resolve().parent


class OneEngine(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Modules as a whole; those with real engines all in the same process, for two engines at once crawl."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid.partition("::")[0])


@cache
def scope_of(module: str) -> str:
    """Of a module's path in the repository; the marker `e2e` says that it starts an engine."""
    return "engine" if "mark.e2e" in (TESTS.parent / module).read_text(encoding="utf-8") else module
