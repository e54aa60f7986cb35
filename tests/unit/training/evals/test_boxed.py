"""Which answer of a reply is marked, and by the harness's equality."""

import pytest

from steiner.training.evals.benchmarks import process_results


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (r"First \boxed{3}, so \boxed{\frac{1}{2}}.", 1.0),
        (r"\boxed{\frac12}", 1.0),
        (r"\boxed{0.5}", 1.0),
        (r"\boxed{3}", 0.0),
        (r"\frac{1}{2}", 1.0),
        (r"\fbox{3}", 0.0),
        (r"\boxed{", 0.0),
        ("", 0.0),
    ],
)
def test_the_last_box_counts(reply: str, right: float) -> None:
    assert process_results({"answer": r"\frac{1}{2}"}, [reply]) == {"exact_match": right}
