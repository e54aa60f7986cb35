"""Knights and knaves: knights say what is true, knaves what is false; who is what?

Everybody makes one claim. A state is what was assumed so far, of the people in the order in which they are named; a
move assumes the next of them a knight or a knave.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from steiner.reasoning.errors import MalformedProblemError

Kind = Literal["knight", "knave"]
KINDS: tuple[Kind, ...] = ("knight", "knave")
CLAIMS_ABOUT_ONE = ("knight", "knave")
CLAIMS_ABOUT_TWO = ("both", "either", "neither", "same", "different")
"""Both are knights, at least one is, none is; they are of the same kind, or not."""
PEOPLE = (
    "Ann", "Bob", "Cora", "Dan", "Eva", "Finn", "Gus", "Hana",
    "Ivan", "Jane", "Kurt", "Lena", "Max", "Nora", "Otto", "Pia",
)  # fmt: skip
MAX_PEOPLE = 6
PROMPT = re.compile(rf"knights ((?:\w+ ){{2,{MAX_PEOPLE}}}): (\w.{{,400}}?)\s*")
STATEMENT = re.compile(r"(\w+) says (\w+) (\w+)(?: (\w+))?")
REVISION = re.compile(r"now (\w[\w ]{,80}?)\s*")


class Statement(NamedTuple):
    """What one person claims about one or two people, possibly including the speaker."""

    speaker: str
    claim: str
    people: tuple[str, ...]


class KnightsProblem(NamedTuple):
    """A statement of each person, in the order in which the people are named."""

    statements: tuple[Statement, ...]

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(statement.speaker for statement in self.statements)


class Assumption(NamedTuple):
    person: str
    kind: Kind


Assumed = tuple[Kind, ...]


def told(statement: Statement) -> str:
    """The statement in its written form."""
    return f"{statement.speaker} says {statement.claim} {' '.join(statement.people)}"


def assumed_kinds(problem: KnightsProblem, state: Assumed) -> dict[str, Kind]:
    """The kind of each person whom the state decides."""
    return dict(zip(problem.people, state, strict=False))


def truth_of(statement: Statement, kinds: Mapping[str, Kind]) -> bool | None:
    """Whether the claim is true; None if that depends on people whose kind is unknown."""
    about = [kinds.get(person) for person in statement.people]
    knights, knaves = about.count("knight"), about.count("knave")
    match statement.claim:
        case "knight" | "both":
            return False if knaves else True if knights == len(about) else None
        case "knave" | "neither":
            return False if knights else True if knaves == len(about) else None
        case "either":
            return True if knights else False if knaves == len(about) else None
        case _:
            alike = not (knights and knaves)
            return alike == (statement.claim == "same") if knights + knaves == len(about) else None


def is_contradicted(statement: Statement, kinds: Mapping[str, Kind]) -> bool:
    """Whether the statement is false of a knight, or true of a knave."""
    truth = truth_of(statement, kinds)
    speaker = kinds.get(statement.speaker)
    return truth is not None and speaker is not None and truth != (speaker == "knight")


def another_claim(problem: KnightsProblem) -> str:
    """Words that revise the problem."""
    speaker, other, *_ = problem.people
    news = (Statement(speaker, claim, (other,)) for claim in CLAIMS_ABOUT_ONE)
    return f"now {told(next(statement for statement in news if statement not in problem.statements))}"


def _read_statement(text: str) -> Statement | None:
    match = STATEMENT.fullmatch(text)
    if match is None:
        return None
    people = (match[3],) if match[4] is None else (match[3], match[4])
    claims = CLAIMS_ABOUT_ONE if match[4] is None else CLAIMS_ABOUT_TWO
    well_said = match[2] in claims and len(set(people)) == len(people)
    return Statement(match[1], match[2], people) if well_said else None


class KnightsRules:
    name = "knights"

    def parse(self, prompt: str) -> KnightsProblem:
        match = PROMPT.fullmatch(prompt)
        statements = [_read_statement(text) for text in match[2].split(" ; ")] if match else []
        by_speaker = {statement.speaker: statement for statement in statements if statement is not None}
        people = match[1].split() if match else []
        spoken = sorted(statement.speaker for statement in statements if statement is not None)
        if match is None or None in statements or spoken != sorted(set(people)) or len(spoken) < len(people):
            raise MalformedProblemError(
                f"Not a problem of knights and knaves: {prompt[:80]!r}. Two to {MAX_PEOPLE} people make one claim "
                f"each: {', '.join((*CLAIMS_ABOUT_ONE, *CLAIMS_ABOUT_TWO))}. "
                "Write it as 'knights Ann Bob : Ann says knave Bob ; Bob says neither Ann Bob'."
            )
        return self._known(KnightsProblem(tuple(by_speaker[person] for person in people)))

    def revise(self, problem: KnightsProblem, text: str) -> KnightsProblem:
        """Another claim in place of somebody's, as "now Bob says knave Ann"."""
        match = REVISION.fullmatch(text)
        news = _read_statement(match[1]) if match else None
        revised = problem
        if news is not None:
            revised = KnightsProblem(
                tuple(news if news.speaker == said.speaker else said for said in problem.statements)
            )
        if revised == problem:
            raise MalformedProblemError(
                f"{text[:80]!r} changes nothing of a problem of {', '.join(problem.people)}. "
                f"Write {another_claim(problem)!r}."
            )
        return self._known(revised)

    @staticmethod
    def _known(problem: KnightsProblem) -> KnightsProblem:
        people = set(problem.people)
        if unknown := sorted(people - set(PEOPLE)):
            raise MalformedProblemError(f"Unknown people {unknown}; this model knows {', '.join(PEOPLE)}.")
        for said in problem.statements:
            if strangers := sorted(set(said.people) - people):
                raise MalformedProblemError(
                    f"{told(said)!r} is about {strangers}, who say nothing; claims are about {sorted(people)}."
                )
        return problem

    def check(self, problem: KnightsProblem, answer: str) -> bool:
        """Everybody is named once with their kind, in any order, and no statement is contradicted."""
        words = answer.split()
        kinds: dict[str, Kind] = {}
        for person, word in zip(words[::2], words[1::2], strict=False):
            kind = next((kind for kind in KINDS if kind == word), None)
            if kind is None or person in kinds:
                return False
            kinds[person] = kind
        if len(words) != 2 * len(kinds) or kinds.keys() != set(problem.people):
            return False
        return not any(is_contradicted(statement, kinds) for statement in problem.statements)

    def root(self, problem: KnightsProblem) -> Assumed:
        return ()

    def moves(self, problem: KnightsProblem, state: Assumed) -> Sequence[Assumption]:
        if len(state) == len(problem.statements) or self.is_refutable(problem, state):
            return []
        return [Assumption(problem.people[len(state)], kind) for kind in KINDS]

    def apply(self, problem: KnightsProblem, state: Assumed, move: Assumption) -> Assumed:
        return (*state, move.kind)

    def read_move(self, problem: KnightsProblem, state: Assumed, next_step: str) -> Assumption | None:
        words = next_step.split()
        return next((move for move in self.moves(problem, state) if [*move] == words), None)

    def why_illegal(self, problem: KnightsProblem, state: Assumed, next_step: str) -> str | None:
        words = next_step.split()
        if not words or not set(words) <= {*PEOPLE, *KINDS}:
            return None
        if len(words) != 2 or words[0] in KINDS or words[1] not in KINDS:
            return "a step assumes one person a knight or a knave, as 'Ann knight' does"
        if words[0] not in problem.people:
            return f"{words[0]} is not among {', '.join(problem.people)}"
        if words[0] in problem.people[: len(state)]:
            return f"{words[0]} was assumed a {state[problem.people.index(words[0])]} before"
        if self.is_refutable(problem, state):
            return "a statement is contradicted before that"
        return f"the next to assume is {problem.people[len(state)]}, not {words[0]}"

    def is_goal(self, problem: KnightsProblem, state: Assumed) -> bool:
        return len(state) == len(problem.statements) and not self.is_refutable(problem, state)

    def is_refutable(self, problem: KnightsProblem, state: Assumed) -> bool:
        """Some statement is contradicted, whatever the people are whose kind is still open."""
        kinds = assumed_kinds(problem, state)
        return any(is_contradicted(statement, kinds) for statement in problem.statements)
