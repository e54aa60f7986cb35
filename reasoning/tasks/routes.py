"""Routes: find the way through one-way roads. A state is the place stood at, a move the place to go to."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from steiner.reasoning.errors import MalformedProblemError

PLACES = (
    "Accra", "Algiers", "Amman", "Athens", "Baku", "Bern", "Bogota", "Cairo", "Dakar", "Delhi", "Dhaka", "Doha",
    "Dublin", "Hanoi", "Havana", "Harare", "Kabul", "Kigali", "Kyiv", "Lagos", "Lima", "Lisbon", "London", "Luanda",
    "Lusaka", "Madrid", "Malabo", "Manila", "Maputo", "Minsk", "Moscow", "Nairobi", "Oslo", "Paris", "Prague", "Quito",
    "Riga", "Rome", "Sofia", "Seoul", "Taipei", "Tallinn", "Tehran", "Tirana", "Tokyo", "Tunis", "Vienna", "Warsaw",
)  # fmt: skip
PROMPT = re.compile(r"roads ((?:\w+ > \w+, )*\w+ > \w+) from (\w+) to (\w+)\s*")

NEW_GOAL = re.compile(r"now to (\w+)\s*")
NEW_ROADS = re.compile(r"also ((?:\w+ > \w+, )*\w+ > \w+)\s*")


class RoutesProblem(NamedTuple):
    """`roads` in the order in which they are told."""

    roads: tuple[tuple[str, str], ...]
    start: str
    goal: str

    def successors(self, place: str) -> list[str]:
        return [end for begin, end in self.roads if begin == place]


def _roads_of(told: str) -> tuple[tuple[str, str], ...]:
    pairs = (road.split(" > ") for road in told.split(", "))
    return tuple((begin, end) for begin, end in pairs)


class RoutesRules:
    name = "routes"

    def parse(self, prompt: str) -> RoutesProblem:
        match = PROMPT.fullmatch(prompt)
        if match is None:
            raise MalformedProblemError(
                f"Not a routes problem: {prompt[:80]!r}. "
                "Write it as 'roads Rome > Oslo, Oslo > Bern from Rome to Bern'."
            )
        if match[2] == match[3]:
            raise MalformedProblemError(f"Start and goal are the same place, {match[2]}; name two.")
        return self._known(RoutesProblem(_roads_of(match[1]), match[2], match[3]))

    def revise(self, problem: RoutesProblem, text: str) -> RoutesProblem:
        """Another goal, as "now to Bern", or roads that are there as well, as "also Oslo > Bern"."""
        revised = problem
        if match := NEW_GOAL.fullmatch(text):
            revised = problem._replace(goal=match[1])
        elif match := NEW_ROADS.fullmatch(text):
            known = set(problem.roads)
            more = tuple(road for road in dict.fromkeys(_roads_of(match[1])) if road not in known)
            revised = problem._replace(roads=problem.roads + more)
        if revised == problem or revised.start == revised.goal:
            raise MalformedProblemError(
                f"{text[:80]!r} changes nothing of a routes problem from {problem.start} to {problem.goal}. "
                "Write 'now to Bern' or 'also Oslo > Bern'."
            )
        return self._known(revised)

    @staticmethod
    def _known(problem: RoutesProblem) -> RoutesProblem:
        told = {place for road in problem.roads for place in road} | {problem.start, problem.goal}
        if unknown := sorted(told - set(PLACES)):
            raise MalformedProblemError(f"Unknown places {unknown}; this model knows {', '.join(PLACES)}.")
        return problem

    def check(self, problem: RoutesProblem, answer: str) -> bool:
        places = answer.split()
        return (
            len(places) >= 2
            and places[0] == problem.start
            and places[-1] == problem.goal
            and set(pairwise(places)) <= set(problem.roads)
        )

    def root(self, problem: RoutesProblem) -> str:
        return problem.start

    def moves(self, problem: RoutesProblem, state: str) -> Sequence[str]:
        return [] if state == problem.goal else sorted(problem.successors(state))

    def apply(self, problem: RoutesProblem, state: str, move: str) -> str:
        return move

    def read_move(self, problem: RoutesProblem, state: str, next_step: str) -> str | None:
        return next_step.strip() if next_step.strip() in self.moves(problem, state) else None

    def why_illegal(self, problem: RoutesProblem, state: str, next_step: str) -> str | None:
        words = next_step.split()
        if len(words) == 1 and re.fullmatch(r"\w{1,40}", words[0]):
            return f"no road leads from {state} to {words[0]}"
        if words and set(words) <= set(PLACES):
            return "a step goes along one road, to one place"
        return None

    def is_goal(self, problem: RoutesProblem, state: str) -> bool:
        return state == problem.goal

    def is_refutable(self, problem: RoutesProblem, state: str) -> bool:
        return state != problem.goal and not problem.successors(state)
