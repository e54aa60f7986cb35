"""Which process of pytest-xdist runs which tests."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).resolve().parent
SHARED_SERVER = "shared server"
MARK = "mark.e2e"


class ScopeScheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Modules as a whole; those that ask the fixture `server` all in the process that has started it.

    Each engine computes with one thread, so one that a test starts for itself may run beside it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Of a test: its module, or that of all tests of the shared server."""
    module, _, test = nodeid.partition("::")
    sharing = sharing_tests(module)
    return SHARED_SERVER if sharing is None or test.partition("[")[0] in sharing else module


@cache
def sharing_tests(module: str) -> frozenset[str] | None:
    """Names of a module's tests that share the server; None stands for all of them."""
    tree = ast.parse((TESTS.parent / module).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    if any("pytestmark" in ast.unparse(node.targets[0]) and MARK in ast.unparse(node) for node in assigned):
        # What asks for the server may be a fixture of the module, so all or none.
        asked = {argument.arg for function in functions for argument in function.args.args}
        return None if "server" in asked else frozenset()
    return frozenset(
        function.name
        for function in functions
        if any(MARK in ast.unparse(decorator) for decorator in function.decorator_list)
    )
