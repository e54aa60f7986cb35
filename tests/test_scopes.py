"""Modules that ask the shared server are in one process of pytest-xdist, and nothing else is kept there with them."""

import pytest

from .scopes import SHARED_SERVER, scope_of


@pytest.mark.parametrize(
    ("test", "scope"),
    [
        ("tests/e2e/test_demo.py::test_ask_talks_to_a_real_server[steiner-tiny]", SHARED_SERVER),
        ("tests/e2e/test_families.py::test_news_revise_the_conclusion[a::b]", SHARED_SERVER),
        (
            "tests/clients/test_benchmark_files.py::test_the_real_server_answers_every_question[x]",
            SHARED_SERVER,
        ),
        ("tests/clients/test_benchmark_files.py::test_x", "tests/clients/test_benchmark_files.py"),
        ("tests/e2e/test_reinforcement.py::test_x[1.0]", "tests/e2e/test_reinforcement.py"),
        ("tests/unit/cli/test_commands.py::test_x", "tests/unit/cli/test_commands.py"),
    ],
)
def test_who_asks_the_shared_server_is_told_by_marker_and_arguments(test: str, scope: str) -> None:
    assert scope_of(test) == scope
