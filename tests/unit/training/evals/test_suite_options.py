"""Options that exclude each other, and the command that repeats a measurement."""

from typing import Any

import pytest

from steiner.training.evals.suite_options import EvalOptionsError, SuiteOptions, read_seeds, write_seeds


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"sampling_seeds": (1,)}, "--temperature"),
        ({"sampling_seeds": (1, 1), "temperature": 1.0}, "repeat"),
        ({"chat": True, "per_budget": 5}, "--per-budget needs"),
        ({"chat": True, "four_numbers": 5}, "--four-numbers needs"),
        ({"explain": True}, "--chat"),
        ({"explain": True, "chat": True, "per_language": 3}, "--per-language"),
        ({"per_family": 0}, "Nothing to ask"),
        ({"per_family": -1}, "--per-family must not be negative"),
        ({"concurrency": 0}, "--concurrency"),
        ({"families": ("chess",)}, "No family 'chess'; --families are of countdown"),
    ],
)
def test_what_cannot_be_kept_together_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(EvalOptionsError, match=named):
        SuiteOptions(**given)


def test_the_command_says_what_is_not_the_default() -> None:
    assert SuiteOptions().command() == "steiner eval"
    options = SuiteOptions(
        per_family=500,
        style="direct",
        temperature=1.0,
        sampling_seeds=(1, 2, 3),
        chat=True,
        concurrency=8,
        families=("routes", "knights"),
    )
    assert options.command("runs/a b") == (
        "steiner eval 'runs/a b' --per-family 500 --style direct --temperature 1 --sampling-seeds 1-3 --chat "
        "--families routes,knights"
    )


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("", ()),
        ("4", (4,)),
        ("1,2,5", (1, 2, 5)),
        ("1 2", (1, 2)),
        ("1-4", (1, 2, 3, 4)),
        ("7,1-2", (7, 1, 2)),
    ],
)
def test_seeds_are_read(text: str, seeds: tuple[int, ...]) -> None:
    assert read_seeds(text) == seeds
    assert read_seeds(write_seeds(seeds)) == seeds


@pytest.mark.parametrize("text", ["a", "1-", "-1", "1.5"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(EvalOptionsError, match="Cannot read the seeds"):
        read_seeds(text)
