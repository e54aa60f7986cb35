"""What a run will cost, before anything is spent: calls, tokens and money, beside what the journal has paid for."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from steiner.training.teacher.client import Call, request_body
from steiner.training.teacher.completions import grow_tree
from steiner.training.teacher.config import TeachConfig, TeachError
from steiner.training.teacher.journal import Journal, Reply, Spending, request_key
from steiner.training.teacher.price import cost, prompt_tokens
from steiner.training.teacher.prompts import CallKind
from steiner.training.teacher.question import Question

KINDS: tuple[CallKind, ...] = ("attempt", "hidden", "revealed")


class NotAskedError(TeachError):
    """The journal has no answer to this request."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one kind of call.

    Attributes:
        paid: what the journal has.
        calls: still to be made, at most.
        prompt_tokens: of these calls, at most; `completion_tokens` alike.
        cost: at most.
        likely_cost: if these calls cost on the average what the journal's did; None while there are none.
    """

    paid: Spending
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    likely_cost: float | None


@dataclass(slots=True)
class _Missing:
    calls: int = 0
    prompt_tokens: int = 0


@dataclass(slots=True)
class _Replay:
    """Answers from the journal; counts what is not there, and what may follow from it."""

    config: TeachConfig
    journal: Journal
    count: Callable[[str], int]
    missing: dict[CallKind, _Missing] = field(default_factory=lambda: {kind: _Missing() for kind in KINDS})

    async def ask(self, call: Call) -> Reply:
        kept = self.journal.get(request_key(request_body(self.config.teacher, call), call.number))
        if kept is not None:
            return kept
        own = prompt_tokens(self.count, [message["content"] for message in call.messages])
        longest = self.config.teacher.max_completion_tokens
        truncations = self.config.completions.truncations
        self._miss(call.kind, 1, own)
        if call.kind == "attempt":
            self._miss("hidden", truncations, own + self._frame("hidden") + longest)
            self._miss("revealed", truncations, own + self._frame("revealed") + 2 * longest)
        elif call.kind == "hidden":
            self._miss("revealed", 1, own + self._frame("revealed") + longest)
        raise NotAskedError("It was not asked yet.")

    def _frame(self, kind: CallKind) -> int:
        return self.count(getattr(self.config.prompts, kind))

    def _miss(self, kind: CallKind, calls: int, tokens: int) -> None:
        self.missing[kind].calls += calls
        self.missing[kind].prompt_tokens += calls * tokens


def estimate(
    config: TeachConfig, questions: Sequence[Question], journal: Journal, count: Callable[[str], int]
) -> dict[CallKind, Estimate]:
    """By kind of call. At most: as if every answer were as long as allowed and every hidden one wrong.

    Args:
        count: tokens of a text.
    """
    replay = _Replay(config, journal, count)

    async def all_of_them() -> None:
        for question in questions:
            try:
                await grow_tree(config, question, replay.ask)
            except NotAskedError:
                continue

    asyncio.run(all_of_them())
    return {kind: _estimate(config, journal.spending[kind], replay.missing[kind]) for kind in KINDS}


def _estimate(config: TeachConfig, paid: Spending, missing: _Missing) -> Estimate:
    completion = missing.calls * config.teacher.max_completion_tokens
    most = cost(config.price, missing.prompt_tokens, completion)
    likely = missing.calls * paid.cost / paid.calls if paid.calls else None
    return Estimate(paid, missing.calls, missing.prompt_tokens, completion, most, likely)


def plan_table(config: TeachConfig, estimates: dict[CallKind, Estimate]) -> Table:
    """What was paid and what is still to be paid, a kind of call a row."""
    currency = config.price.currency
    table = Table(
        "call",
        "paid calls",
        f"paid {currency}",
        "calls, at most",
        "prompt tokens",
        "completion tokens",
        f"{currency}, at most",
        f"{currency}, likely",
    )
    for kind, one in estimates.items():
        table.add_row(kind, *_cells(one))
    table.add_section()
    table.add_row("all", *_cells(_sum(list(estimates.values()))))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _cells(one: Estimate) -> list[str]:
    likely = "unknown" if one.likely_cost is None else f"{one.likely_cost:.4f}"
    return [
        f"{one.paid.calls:,}",
        f"{one.paid.cost:.4f}",
        f"{one.calls:,}",
        f"{one.prompt_tokens:,}",
        f"{one.completion_tokens:,}",
        f"{one.cost:.4f}",
        likely,
    ]


def _sum(estimates: Sequence[Estimate]) -> Estimate:
    paid = Spending(
        sum(e.paid.calls for e in estimates),
        sum(e.paid.prompt_tokens for e in estimates),
        sum(e.paid.completion_tokens for e in estimates),
        sum(e.paid.cost for e in estimates),
    )
    known = [e.likely_cost for e in estimates if e.calls]
    return Estimate(
        paid,
        sum(e.calls for e in estimates),
        sum(e.prompt_tokens for e in estimates),
        sum(e.completion_tokens for e in estimates),
        sum(e.cost for e in estimates),
        None if None in known else sum(likely for likely in known if likely is not None),
    )
