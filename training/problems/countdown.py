"""Countdown as it is trained (multi-step mathematics): problems, the words of a search, answers and drills.

The verification of a step that leaves two numbers lists what those two can make, so a wrong pair is seen one move
ahead.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.tasks.countdown import (
    OPERATORS,
    Combine,
    CountdownProblem,
    CountdownRules,
    Numbers,
    after,
    combinations_of,
    equation_of,
    largest_first,
    moves_of,
    result_of,
)
from steiner.training.problems.base import SectionTexts, StepContext

NUMBER_RANGE = (1, 20)
TARGET_RANGE = (10, 99)
UNREACHED_SHARE = 0.05
REPLACEMENTS_TRIED = 50


@lru_cache(maxsize=500_000)
def reachable(numbers: Numbers) -> frozenset[int]:
    """Every target that all the numbers together can make."""
    if len(numbers) == 1:
        return frozenset(numbers)
    return frozenset().union(*(reachable(after(numbers, move)) for move in moves_of(numbers)))


class Countdown(CountdownRules):
    sizes = range(2, 7)
    words: tuple[str, ...] = (
        "make", "from", "with", "tried", "end", "goal", "left", "open", "for", "is", "not", "seen",
        "+", "-", "*", "/", "=", "(", ")", ":", ";",
    )  # fmt: skip
    revision_words: tuple[str, ...] = ("now",)

    def generate(self, rng: random.Random, size: int, solvable: bool = True) -> CountdownProblem:
        while True:
            numbers = tuple(rng.randint(*NUMBER_RANGE) for _ in range(size))
            can_make = reachable(largest_first(numbers))
            targets = [t for t in range(TARGET_RANGE[0], TARGET_RANGE[1] + 1) if (t in can_make) == solvable]
            if targets:
                return CountdownProblem(numbers, rng.choice(targets))

    def draw_revision(self, problem: CountdownProblem, rng: random.Random) -> str:
        """Another target, or another number that leaves the target within reach; one target in twenty is out of it."""
        if rng.random() < 0.5:
            for _ in range(REPLACEMENTS_TRIED):
                old, new = rng.choice(problem.numbers), rng.randint(*NUMBER_RANGE)
                text = f"now {new} for {old}"
                if new != old and problem.target in reachable(
                    largest_first(self.revise(problem, text).numbers)
                ):
                    return text
        can_make = reachable(largest_first(problem.numbers))
        within = rng.random() >= UNREACHED_SHARE
        targets = [t for t in range(TARGET_RANGE[0], TARGET_RANGE[1] + 1) if (t in can_make) == within]
        return f"now make {rng.choice([t for t in targets if t != problem.target] or [TARGET_RANGE[1] + 1])}"

    def canonical(self, problem: CountdownProblem) -> str:
        """The multiset of numbers alone: every target of a held-out multiset is unseen."""
        return "countdown " + " ".join(map(str, sorted(problem.numbers)))

    def to_json(self, problem: CountdownProblem) -> dict[str, Any]:
        return {"numbers": list(problem.numbers), "target": problem.target}

    def from_json(self, fields: Mapping[str, Any]) -> CountdownProblem:
        return CountdownProblem(tuple(fields["numbers"]), fields["target"])

    def prompt(self, problem: CountdownProblem) -> str:
        return f"make {problem.target} from {' '.join(map(str, problem.numbers))}"

    def order(
        self, problem: CountdownProblem, state: Numbers, moves: Sequence[Combine], rng: random.Random
    ) -> list[Combine]:
        """Pair by pair, the largest first, operators shuffled; where two numbers are left, the winning move alone."""
        if len(state) == 2:
            return [move for move in moves if result_of(move) == problem.target][:1]
        operators = list(OPERATORS)
        rng.shuffle(operators)
        return sorted(moves, key=lambda move: (-move.left, -move.right, operators.index(move.operator)))

    def understanding(self, problem: CountdownProblem, state: Numbers, tried: Sequence[Combine]) -> str:
        """Target, numbers and what was tried last: pairs have an order, so the pair at hand stands for those before."""
        return f"make {problem.target} with {self._numbers_and_tried(state, tried)}"

    def render_step(self, step: StepContext[CountdownProblem, Numbers, Combine]) -> SectionTexts:
        return SectionTexts(
            understanding=self.understanding(step.problem, step.state, step.tried),
            next_step=equation_of(step.move),
            verification=self._verification(step.problem.target, step.result, step.seen),
            summary=self._summary(step),
        )

    def answer(self, problem: CountdownProblem, path: Sequence[tuple[Numbers, Combine]]) -> str:
        expressions: list[tuple[int, str]] = [(number, str(number)) for number in problem.numbers]

        def take(value: int) -> str:
            index = next(i for i, (known, _) in enumerate(expressions) if known == value)
            return expressions.pop(index)[1]

        for _, move in path:
            text = f"{take(move.left)} {move.operator} {take(move.right)}"
            # Newest first, so that a number just made is preferred to an equal given one.
            expressions.insert(0, (result_of(move), f"( {text} )"))
        return expressions[0][1].removeprefix("( ").removesuffix(" )")

    def direct_answer(self, problem: CountdownProblem, rng: random.Random) -> str:
        state = self.root(problem)
        if problem.target not in reachable(state):
            raise MalformedProblemError(f"Nothing solves {self.prompt(problem)!r}.")
        path = []
        while len(state) > 1:
            alive = [move for move in moves_of(state) if problem.target in reachable(after(state, move))]
            move = rng.choice(alive)
            path.append((state, move))
            state = after(state, move)
        return self.answer(problem, path)

    def drills(
        self, problem: CountdownProblem, rng: random.Random
    ) -> Iterator[tuple[Literal["verified", "refuted"], SectionTexts]]:
        """By turns what two numbers can make for a target, which six in ten do, and one equation."""
        while True:
            high, low = sorted((rng.randint(0, 99), rng.randint(1, 20)), reverse=True)
            if rng.random() < 0.3:
                high, low = sorted((rng.randint(1, 40), rng.randint(1, 40)), reverse=True)
            pair_moves = combinations_of(high, low)
            hit = rng.random() < 0.6
            target = result_of(rng.choice(pair_moves)) if hit else rng.randint(*TARGET_RANGE)
            verified = target in {result_of(move) for move in pair_moves}
            verification = self._verification(target, (high, low), seen=False)
            yield ("verified" if verified else "refuted", SectionTexts("", "", verification, ""))
            yield ("verified", SectionTexts("", equation_of(rng.choice(pair_moves)), "", ""))

    @staticmethod
    def _verification(target: int, result: Numbers, seen: bool) -> str:
        """What the two numbers left can make, up to the first hit; with more numbers, that they stay open."""
        if len(result) == 1:
            return f"{result[0]} is {target} goal" if result[0] == target else f"{result[0]} is not {target}"
        if len(result) > 2:
            return f"{' '.join(map(str, result))} {'seen' if seen else 'open'}"
        words = [str(result[0]), str(result[1]), "for", str(target), ":"]
        for move in combinations_of(*result):
            words += [move.operator, str(result_of(move))]
            if result_of(move) == target:
                words.append("goal")
                break
        return " ".join(words)

    @classmethod
    def _summary(cls, step: StepContext[CountdownProblem, Numbers, Combine]) -> str:
        """What is left; behind a refutation the places left for good, and last the one returned to.

        So it is written that nothing is open before a place is left, and the last words are all the next step needs.
        """
        if step.verified:
            return "goal" if len(step.result) == 1 else f"left {' '.join(map(str, step.result))}"
        places = (cls._numbers_and_tried(state, tried) for state, tried in (*step.exhausted, step.return_to))
        return " all ".join(places)

    @staticmethod
    def _numbers_and_tried(state: Numbers, tried: Sequence[Combine]) -> str:
        words = [*map(str, state), "tried"]
        if tried:
            pair = (tried[-1].left, tried[-1].right)
            operators = [move.operator for move in tried if (move.left, move.right) == pair]
            words += [*map(str, pair), *operators]
            if len(operators) == len(combinations_of(*pair)):
                words.append("end")
        return " ".join(words)
