"""The same questions asked in up to three ways: does a protocol help or harm this model?

- `free`: the question alone, without reasoning of the protocol.
- `prompted`: the protocol's prompt as system message, without its grammar.
- `constrained`: the protocol as it is served, with its grammar.

The step from `free` to `prompted` is what the words do, the step from there to `constrained` what the grammar does.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steiner.reasoning.errors import SteinerError
from steiner.training.evals.accuracy import Outcome, ask_all
from steiner.training.evals.chat_endpoint import ChatEndpoint
from steiner.training.evals.compare import compare
from steiner.training.evals.journal import AnswerJournal
from steiner.training.evals.outcome_files import write_outcomes
from steiner.training.evals.published_questions import PublishedQuestion
from steiner.training.evals.score import score

ARMS = ("free", "prompted", "constrained")
MAX_TOKENS = 2048
REASONING_SHARE = 0.75
"""Of `max_tokens` that reasoning may take, so that a model that reasons without end still answers."""
SCORED = ("num_problems", "num_answers", "accuracy", "accuracy_low", "accuracy_high", "unfinished")
TOKENS = ("mean_reasoning_tokens", "mean_completion_tokens")


class ArmsError(SteinerError):
    """The arms cannot be asked in this way; the message says why."""


@dataclass(frozen=True, slots=True)
class ArmOptions:
    """How the arms are asked.

    Attributes:
        arms: of ARMS.
        prompt: what the protocol tells the model, for `prompted`.
        tells_effort: whether the server knows `reasoning_effort`, without which it cannot be told not to reason.
        max_tokens: of reasoning and answer together.
    """

    arms: tuple[str, ...]
    prompt: str
    tells_effort: bool
    temperature: float = 0.0
    seeds: tuple[int, ...] = ()
    concurrency: int = 32
    max_tokens: int = MAX_TOKENS


def read_arms(text: str) -> tuple[str, ...]:
    """Arms as they are typed: free,prompted,constrained.

    Raises:
        ArmsError: one of them is unknown or stands twice, or there are none.
    """
    arms = tuple(filter(None, (name.strip() for name in text.split(","))))
    if not arms or len(set(arms)) < len(arms) or not set(arms) <= set(ARMS):
        raise ArmsError(f"--arms {text!r}: name some of {','.join(ARMS)}, each once.")
    return arms


def run_arms(
    endpoint: Callable[[str | None], ChatEndpoint],
    questions: Sequence[PublishedQuestion],
    options: ArmOptions,
    folder: Path,
    journal: AnswerJournal,
    on_done: Callable[[Outcome], None],
) -> dict[str, Any]:
    """Ask every question in every arm, and write `outcomes.jsonl` and `report.json` into the folder.

    Args:
        endpoint: the server, with this system message in each request.
        journal: keeps the answers; what it already has is not asked again.

    Raises:
        EndpointError: the server cannot be reached, or refused.
        ArmsError: it can do no `constrained` arm.
    """
    if "constrained" in options.arms and not options.tells_effort:
        raise ArmsError(
            "The arm `constrained` needs a server of Steiner; ask this one with --arms free,prompted."
        )
    outcomes: dict[str, list[Outcome]] = {}
    for arm in options.arms:
        client = endpoint(options.prompt if arm == "prompted" else None)
        fields: dict[str, Any] = {"temperature": options.temperature, "max_tokens": options.max_tokens}
        if arm == "constrained":
            fields["reasoning"] = {"max_reasoning_tokens": int(options.max_tokens * REASONING_SHARE)}
        elif options.tells_effort:
            fields["reasoning_effort"] = "none"
        outcomes[arm] = asyncio.run(
            ask_all(
                client,
                questions,
                fields,
                options.concurrency,
                on_done,
                condition=arm,
                sampling_seeds=options.seeds,
                journal=journal,
            )
        )
    report = {"options": asdict(options), **report_of(outcomes)}
    folder.mkdir(parents=True, exist_ok=True)
    write_outcomes([one for told in outcomes.values() for one in told], folder / "outcomes.jsonl")
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def report_of(outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Accuracy with Wilson's interval and mean tokens, of each arm and each family in it; paired tests between arms."""
    arms = {}
    for arm, told in outcomes.items():
        families = sorted({outcome.family for outcome in told})
        by_family = {name: _score([o for o in told if o.family == name]) for name in families}
        arms[arm] = {**_score(told), "families": by_family}
    names = list(outcomes)
    pairs = {
        f"{later} - {earlier}": _difference(outcomes[later], outcomes[earlier])
        for at, earlier in enumerate(names)
        for later in names[at + 1 :]
    }
    return {"arms": arms, "paired": pairs}


def _difference(later: Sequence[Outcome], earlier: Sequence[Outcome]) -> dict[str, float | str]:
    tests = compare(later, earlier)
    # A single family is the whole.
    return tests.get("all", next(iter(tests.values()))).as_json()


def _score(outcomes: Sequence[Outcome]) -> dict[str, float]:
    measured = score(outcomes, typed_steps=False).as_json()
    return {name: measured[name] for name in (*SCORED, *TOKENS) if name in measured}
