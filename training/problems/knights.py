"""Knights and knaves as they are trained (logical deduction): problems, the words of a search, answers and drills.

The verification of a step goes through the statements that are still open and the new person's own: each with the
kinds of the people it is about, its truth, and whether that fits its speaker; the first that does not ends it.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby, permutations, product
from typing import Any, Literal

from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.tasks.knights import (
    CLAIMS_ABOUT_ONE,
    CLAIMS_ABOUT_TWO,
    KINDS,
    MAX_PEOPLE,
    PEOPLE,
    Assumed,
    Assumption,
    KnightsProblem,
    KnightsRules,
    Statement,
    another_claim,
    assumed_kinds,
    is_contradicted,
    told,
    truth_of,
)
from steiner.training.problems.base import SectionTexts, StepContext

CLAIM_ABOUT_ONE_SHARE = 0.4
UNSOLVABLE_SHARE = 0.05
REPLACEMENTS_TRIED = 50


@lru_cache(maxsize=10_000)
def solutions(problem: KnightsProblem) -> tuple[Assumed, ...]:
    """Every way to make all of them knights and knaves that contradicts no statement."""
    people = problem.people
    return tuple(
        kinds
        for kinds in product(KINDS, repeat=len(people))
        if not any(is_contradicted(s, dict(zip(people, kinds, strict=True))) for s in problem.statements)
    )


class Knights(KnightsRules):
    # Two people have 14 problems up to their names, too few to hold any out.
    sizes = range(3, MAX_PEOPLE + 1)
    words: tuple[str, ...] = (
        *PEOPLE, *CLAIMS_ABOUT_ONE, *CLAIMS_ABOUT_TWO,
        "knights", "says", "with", "next", "tried", "all", "open", "unknown", "true", "false", "fits", "clash",
        "goal", ":", ";",
    )  # fmt: skip
    revision_words: tuple[str, ...] = ("now",)

    def generate(self, rng: random.Random, size: int, solvable: bool = True) -> KnightsProblem:
        """`size` people, whose statements either tell everything or contradict each other."""
        while True:
            people = rng.sample(PEOPLE, size)
            statements = [self._draw_statement(speaker, people, rng) for speaker in people]
            if len(solutions(KnightsProblem(tuple(statements)))) == int(solvable):
                return self._told_for_a_short_search(statements, rng)

    def draw_revision(self, problem: KnightsProblem, rng: random.Random) -> str:
        """Another claim by somebody, which again tells everything; one in twenty leaves no solution."""
        wanted = int(rng.random() >= UNSOLVABLE_SHARE)
        for _ in range(REPLACEMENTS_TRIED):
            news = self._draw_statement(rng.choice(problem.people), problem.people, rng)
            text = f"now {told(news)}"
            if news not in problem.statements and len(solutions(self.revise(problem, text))) == wanted:
                break
        return text if news not in problem.statements else another_claim(problem)

    def canonical(self, problem: KnightsProblem) -> str:
        """The statements, whatever the people's names and the order in which they speak."""
        return _canonical(problem)

    def to_json(self, problem: KnightsProblem) -> dict[str, Any]:
        return {"statements": [[said.speaker, said.claim, *said.people] for said in problem.statements]}

    def from_json(self, fields: Mapping[str, Any]) -> KnightsProblem:
        return KnightsProblem(
            tuple(
                Statement(speaker, claim, tuple(people)) for speaker, claim, *people in fields["statements"]
            )
        )

    def prompt(self, problem: KnightsProblem) -> str:
        return f"knights {' '.join(problem.people)} : {' ; '.join(map(told, problem.statements))}"

    def order(
        self, problem: KnightsProblem, state: Assumed, moves: Sequence[Assumption], rng: random.Random
    ) -> list[Assumption]:
        return rng.sample(list(moves), len(moves))

    def understanding(self, problem: KnightsProblem, state: Assumed, tried: Sequence[Assumption]) -> str:
        """What is assumed, whose turn it is and what was tried for that person, and whose statements are still open."""
        kinds = assumed_kinds(problem, state)
        undecided = [
            said.speaker for said in problem.statements[: len(state)] if truth_of(said, kinds) is None
        ]
        return " ".join([self._place(problem, state, tried), *(["open", *undecided] if undecided else [])])

    def render_step(self, step: StepContext[KnightsProblem, Assumed, Assumption]) -> SectionTexts:
        assumption = " ".join(step.move)
        return SectionTexts(
            understanding=self.understanding(step.problem, step.state, step.tried),
            next_step=assumption,
            verification=self._verification(step.problem, step.result),
            summary=assumption if step.verified else self._retreat(step),
        )

    def answer(self, problem: KnightsProblem, path: Sequence[tuple[Assumed, Assumption]]) -> str:
        return " ".join(word for _, move in path for word in move)

    def direct_answer(self, problem: KnightsProblem, rng: random.Random) -> str:
        found = solutions(problem)
        if not found:
            raise MalformedProblemError(f"The statements contradict each other: {self.prompt(problem)!r}.")
        pairs = zip(problem.people, rng.choice(found), strict=True)
        return " ".join(word for pair in pairs for word in pair)

    def drills(
        self, problem: KnightsProblem, rng: random.Random
    ) -> Iterator[tuple[Literal["verified", "refuted"], SectionTexts]]:
        """Take some people for knights and knaves at random, then one more, and go through the open statements."""
        while True:
            kinds = rng.choices(KINDS, k=rng.randint(1, len(problem.people)))
            *before, last = map(Assumption, problem.people, kinds)
            state = tuple(assumption.kind for assumption in before)
            others = [Assumption(last.person, kind) for kind in KINDS if kind != last.kind]
            tried = others if rng.random() < 0.5 else []
            verification = self._verification(problem, (*state, last.kind))
            yield (
                "refuted" if verification.endswith("clash") else "verified",
                SectionTexts(self.understanding(problem, state, tried), " ".join(last), verification, ""),
            )

    @staticmethod
    def _draw_statement(speaker: str, people: Sequence[str], rng: random.Random) -> Statement:
        """A claim about two people may include the speaker, but nobody makes a claim only about himself."""
        if rng.random() < CLAIM_ABOUT_ONE_SHARE:
            other = rng.choice([person for person in people if person != speaker])
            return Statement(speaker, rng.choice(CLAIMS_ABOUT_ONE), (other,))
        return Statement(speaker, rng.choice(CLAIMS_ABOUT_TWO), tuple(rng.sample(people, 2)))

    def _told_for_a_short_search(self, statements: Sequence[Statement], rng: random.Random) -> KnightsProblem:
        """The order of whom the fewest combinations have to be gone through before all of them are contradicted."""
        shuffled = rng.sample(statements, len(statements))
        return min(
            (KnightsProblem(_settling_order(first, shuffled)) for first in shuffled), key=self._num_states
        )

    def _num_states(self, problem: KnightsProblem, state: Assumed = ()) -> int:
        moves = self.moves(problem, state)
        return 1 + sum(self._num_states(problem, self.apply(problem, state, move)) for move in moves)

    @staticmethod
    def _place(problem: KnightsProblem, state: Assumed, tried: Sequence[Assumption]) -> str:
        words = ["with"] if state else []
        words += [word for pair in assumed_kinds(problem, state).items() for word in pair]
        words += ["next", *problem.people[len(state) :][:1]]
        return " ".join([*words, *(["tried", *(move.kind for move in tried)] if tried else [])])

    @staticmethod
    def _verification(problem: KnightsProblem, result: Assumed) -> str:
        """The statements that were open before the last assumption and its person's own, up to a contradiction."""
        before, kinds = assumed_kinds(problem, result[:-1]), assumed_kinds(problem, result)
        *earlier, own = problem.statements[: len(result)]
        words: list[str] = []
        for said in [*(s for s in earlier if truth_of(s, before) is None), own]:
            words += [said.speaker, "says", said.claim]
            words += [word for person in said.people for word in (person, kinds.get(person) or "unknown")]
            truth = truth_of(said, kinds)
            if truth is None:
                words += ["open", said.speaker]
                continue
            contradicted = is_contradicted(said, kinds)
            words += ["true" if truth else "false", said.speaker, kinds[said.speaker]]
            words.append("clash" if contradicted else "fits")
            if contradicted:
                return " ".join(words)
        return " ".join([*words, *(["goal"] if len(result) == len(problem.statements) else [])])

    def _retreat(self, step: StepContext[KnightsProblem, Assumed, Assumption]) -> str:
        """Places left for good, then the one returned to as the next step restates it."""
        left = [self._place(step.problem, state, tried) for state, tried in step.exhausted]
        return " all ".join([*left, self.understanding(step.problem, *step.return_to)])


def _settling_order(first: Statement, statements: Sequence[Statement]) -> tuple[Statement, ...]:
    ordered = [first]
    waiting = [statement for statement in statements if statement != first]

    def settled(candidate: Statement) -> tuple[int, int]:
        spoken = [*ordered, candidate]
        known = {statement.speaker for statement in spoken}
        whole = sum(known.issuperset(statement.people) for statement in spoken)
        return whole, sum(person in known for statement in spoken for person in statement.people)

    while waiting:
        ordered.append(max(waiting, key=settled))
        waiting.remove(ordered[-1])
    return tuple(ordered)


@lru_cache(maxsize=20_000)
def _canonical(problem: KnightsProblem) -> str:
    def signature(person: str) -> tuple[str, bool, list[str]]:
        """What does not hang on names, so that people who differ in it need not be tried in each other's place."""
        [own] = (said for said in problem.statements if said.speaker == person)
        claims = sorted(said.claim for said in problem.statements if person in said.people)
        return own.claim, person in own.people, claims

    def numbered(order: Iterable[str]) -> list[tuple[int, str, list[int]]]:
        number = {person: index for index, person in enumerate(order)}
        return sorted(
            (number[said.speaker], said.claim, sorted(number[person] for person in said.people))
            for said in problem.statements
        )

    alike = [list(group) for _, group in groupby(sorted(problem.people, key=signature), key=signature)]
    orders = product(*(permutations(group) for group in alike))
    smallest = min(numbered(chain(*order)) for order in orders)
    return "knights " + " ; ".join(
        f"{speaker} {claim} {' '.join(map(str, people))}" for speaker, claim, people in smallest
    )
