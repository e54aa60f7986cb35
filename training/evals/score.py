"""Figures over outcomes."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.intervals import effective_answers, wilson_half_width, wilson_interval


@dataclass(frozen=True, slots=True)
class Score:
    """Figures over a set of outcomes; shares are in [0, 1], and what the endpoint does not report is None.

    Attributes:
        num_answers: several for each problem if it was sampled with several seeds.
        accuracy: share of right answers.
        accuracy_error: half of its 95 % interval.
        accuracy_low: lower end of that interval, which need not be as far from the accuracy as the upper one.
    """

    num_problems: int
    num_answers: int
    accuracy: float
    accuracy_error: float
    accuracy_low: float
    accuracy_high: float
    backtracked: float | None
    violated: float | None
    unfinished: float
    mean_steps: float | None
    mean_backtracks: float | None
    mean_reasoning_tokens: float | None
    mean_completion_tokens: float | None

    def as_json(self) -> dict[str, float]:
        """Every figure that was measured."""
        return {name: round(value, 4) for name, value in asdict(self).items() if value is not None}


def score(outcomes: Sequence[Outcome], *, typed_steps: bool = True) -> Score:
    """Means over outcomes.

    Args:
        typed_steps: whether the endpoint reports the steps of its reasoning.

    Raises:
        ValueError: there are none.
    """
    if not outcomes:
        raise ValueError("No outcomes to score: ask at least one problem.")
    num = len(outcomes)

    def mean(of: Callable[[Outcome], float]) -> float:
        return sum(map(of, outcomes)) / num

    def of_steps(of: Callable[[Outcome], float]) -> float | None:
        return mean(of) if typed_steps else None

    def of_usage(of: Callable[[Outcome], float]) -> float | None:
        # A plain endpoint may not count tokens, so a mean of nothing but zeros is not a measurement.
        return mean(of) if typed_steps or any(map(of, outcomes)) else None

    shares = list(right_shares(outcomes).values())
    accuracy, answers = mean(lambda o: o.right), effective_answers(shares, num)
    low, high = wilson_interval(accuracy, answers)
    return Score(
        num_problems=len(shares),
        num_answers=num,
        accuracy=accuracy,
        accuracy_error=wilson_half_width(accuracy, answers),
        accuracy_low=low,
        accuracy_high=high,
        backtracked=of_steps(lambda o: o.num_backtracks > 0),
        violated=of_steps(lambda o: o.num_violations > 0),
        unfinished=mean(lambda o: not o.finished),
        mean_steps=of_steps(lambda o: o.num_steps),
        mean_backtracks=of_steps(lambda o: o.num_backtracks),
        mean_reasoning_tokens=of_usage(lambda o: o.reasoning_tokens),
        mean_completion_tokens=of_usage(lambda o: o.completion_tokens),
    )


def right_shares(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], float]:
    """Share of right answers to each problem, by family and prompt, in the order of the first answers."""
    answers: dict[tuple[str, str], list[bool]] = {}
    for outcome in outcomes:
        answers.setdefault((outcome.family, outcome.prompt), []).append(outcome.right)
    return {problem: sum(right) / len(right) for problem, right in answers.items()}
