"""Tests with engines share a process of pytest-xdist, and nothing else is kept there with them."""

import pytest

from .one_engine import ENGINE, TESTS, scope_of


@pytest.mark.parametrize(
    ("test", "scope"),
    [
        ("tests/e2e/test_demo.py::test_ask_talks_to_a_real_server[steiner-tiny]", ENGINE),
        ("tests/clients/test_benchmark_files.py::test_the_real_server_answers_every_question[a::b]", ENGINE),
        ("tests/clients/test_benchmark_files.py::test_x", "tests/clients/test_benchmark_files.py"),
        ("tests/test_one_engine.py::test_x", "tests/test_one_engine.py"),
    ],
)
def test_a_test_with_an_engine_is_told_by_its_marker(test: str, scope: str) -> None:
    assert scope_of(test) == scope


def test_every_file_of_the_folder_of_engines_is_marked() -> None:
    files = [path.relative_to(TESTS.parent) for path in (TESTS / "e2e").glob("test_*.py")]
    assert files
    assert {scope_of(f"{file}::test_x") for file in files} == {ENGINE}
