"""Which process of pytest-xdist runs which tests."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).resolve().parent
ENGINE = "engine"


class OneEngine(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Modules as a whole; tests with real engines all in the same process, for two engines at once crawl."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Of a test; the marker `e2e`, of its module or its own, says that it starts an engine."""
    module, _, test = nodeid.partition("::")
    with_engine = tests_with_engines(module)
    return ENGINE if with_engine is None or test.partition("[")[0] in with_engine else module


@cache
def tests_with_engines(module: str) -> frozenset[str] | None:
    """Names of a module's tests that are marked one by one; None where the module is marked as a whole."""
    tree = ast.parse((TESTS.parent / module).read_text(encoding="utf-8"))
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and "pytestmark" in ast.unparse(node)
            and "mark.e2e" in ast.unparse(node)
        ):
            return None
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(
        test.name for test in tests if any("mark.e2e" in ast.unparse(d) for d in test.decorator_list)
    )
