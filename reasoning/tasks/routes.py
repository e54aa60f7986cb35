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


class RoutesProblem(NamedTuple):
    """`roads` in the order in which they are told."""

    roads: tuple[tuple[str, str], ...]
    start: str
    goal: str

    def successors(self, place: str) -> list[str]:
        return [end for begin, end in self.roads if begin == place]


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
        roads = tuple(tuple(road.split(" > ")) for road in match[1].split(", "))
        strangers = {place for road in roads for place in road} | {match[2], match[3]}
        if unknown := sorted(strangers - set(PLACES)):
            raise MalformedProblemError(f"Unknown places {unknown}; this model knows {', '.join(PLACES)}.")
        return RoutesProblem(tuple((begin, end) for begin, end in roads), match[2], match[3])

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
