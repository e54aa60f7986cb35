"""What a cut costs: the pause it makes in a stream, in decode steps of the same run.

    python benchmarks/interventions.py [--model DIR] [--kinds KIND ...] [--streams 1 16] [--problems 16] [--json FILE]

Every kind of intervention is provoked on the real engine, without HTTP: a small budget, a judge that contradicts the
model, sections of one token (in which steps soon repeat each other), memory, and a JSON schema. Budgets differ by a few
tokens, as generations that begin at different times are cut at different times; `budget at once` is the worst case, in
which every stream is cut in the same engine step. The pause of a cut is
the time from the last token that was kept to the first token of the request that goes on, and a decode step is the
median time between two tokens of one request, in the same streams. One step is what the next token would have taken
anyway; what is left is the price. On a machine that other work keeps busy both times are drawn out, and not alike, so
the pause is also counted: by the tokens that another stream got meanwhile, one for each step of the engine. The first
round of each kind is kept apart: there the engine meets its grammars for the first time.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols import detect_protocol
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement, Verifier
from steiner.server.conductor.assignment import AnswerFormat, Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling, TokenEngine, TokenRequest, TokenUpdate
from steiner.server.engine.vllm_engine import VllmEngine
from steiner.server.intake.answer_grammar import json_grammar
from steiner.server.intake.prompts import PromptEncoder, Turn
from steiner.server.model.loading import load_tokenizer
from steiner.server.settings import Settings
from steiner.training.problems.held_out import held_out_problems

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}


@dataclass(frozen=True)
class Contradiction:
    """Judges the first steps by their number, so that it contradicts about every second one."""

    name: str = "contradiction"

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        if step.id > 6:
            return None
        return Judgement("verified" if step.id % 2 else "refuted", "to see what it costs")

    def check_answer(self, problem: str, answer: str) -> bool | None:
        return None


@dataclass(frozen=True)
class Provocation:
    """A request that makes one kind of intervention happen.

    Attributes:
        stagger: tokens of budget that each generation has more than the one before it.
    """

    policy: Policy
    stagger: int = 0
    temperature: float = 1.0
    verifier: Verifier | None = None
    answer_schema: dict[str, Any] | None = None

    def answer_format(self, engine: TokenEngine) -> AnswerFormat | None:
        """What the answers are held to."""
        if self.answer_schema is None:
            return None
        return AnswerFormat("a number", json_grammar(self.answer_schema))

    def policy_of(self, index: int) -> Policy:
        """Of the generation with this number in its round."""
        budget = self.policy.max_reasoning_tokens
        if budget is None:
            return self.policy
        return self.policy.model_copy(update={"max_reasoning_tokens": budget + self.stagger * index})


SHORT = {"max_section_tokens": 1, "max_steps": 40, "max_backtracks": 40}
PROVOCATIONS: dict[str, Provocation] = {
    "budget": Provocation(Policy(max_reasoning_tokens=40), stagger=3),
    "budget at once": Provocation(Policy(max_reasoning_tokens=60)),
    "verifier": Provocation(Policy(), verifier=Contradiction()),
    "loop": Provocation(Policy(**SHORT), temperature=2.0),
    "memory": Provocation(Policy(memory=True)),
    "answer": Provocation(Policy(), answer_schema=SCHEMA),
}


@dataclass(slots=True)
class TimedEngine:
    """The engine, with the time of each update.

    Attributes:
        pauses_s: between the last token before a cut and the first one behind it, by the id of the generation.
        steps_s: between two tokens of one request.
        passed: tokens that the stream which got the most of them got during each pause that another stream was there to
            count.
    """

    engine: VllmEngine
    pauses_s: list[float] = field(default_factory=list)
    steps_s: list[float] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    _num_taken: Counter[str] = field(default_factory=Counter)
    _before: dict[str, Counter[str]] = field(default_factory=dict)
    _last_s: dict[str, float] = field(default_factory=dict)

    @property
    def max_model_len(self) -> int:
        return self.engine.max_model_len

    @property
    def default_sampling(self) -> Mapping[str, float | int]:
        return self.engine.default_sampling

    @property
    def bias_refusal(self) -> str | None:
        return self.engine.bias_refusal

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        generation, _, number = request.request_id.partition("-")
        is_first = True
        async with aclosing(self.engine.generate(request)) as updates:
            async for update in updates:
                now = time.perf_counter()
                if is_first and number and generation in self._last_s:
                    self.pauses_s.append(now - self._last_s[generation])
                    self._count_passed(generation)
                elif not is_first:
                    self.steps_s.append((now - self._last_s[generation]) / max(1, len(update.token_ids)))
                is_first = False
                self._last_s[generation] = now
                self._num_taken[generation] += len(update.token_ids)
                self._before[generation] = self._num_taken.copy()
                yield update

    def _count_passed(self, generation: str) -> None:
        others = self._num_taken - self._before[generation]
        if most := max(others.values(), default=0):
            self.passed.append(most)

    def draft_counts(self) -> Mapping[str, int] | None:
        return self.engine.draft_counts()

    async def check_health(self) -> None:
        await self.engine.check_health()

    def shutdown(self) -> None:
        self.engine.shutdown()


@dataclass(frozen=True)
class Bench:
    """A loaded model and the problems it is asked."""

    engine: VllmEngine
    bound: BoundProtocol
    tokenizer: PreTrainedTokenizerFast
    encoder: PromptEncoder
    problems: list[str]

    async def round(self, provocation: Provocation, streams: int, number: int) -> tuple[TimedEngine, int]:
        """Ask every problem once, so many at a time; the times, and the cuts."""
        timed = TimedEngine(self.engine)
        free = asyncio.Semaphore(streams)
        num_cuts = 0

        async def ask(index: int, problem: str) -> None:
            nonlocal num_cuts
            async with free:
                assignment = Assignment(
                    id=f"bench_{id(timed)}_{index}",
                    model="bench",
                    prompt_ids=tuple(self.encoder.encode_now([Turn("user", problem)])),
                    policy=provocation.policy_of(index),
                    sampling=Sampling(temperature=provocation.temperature, seed=number * 1000 + index),
                    max_tokens=800,
                    problem=problem,
                    verifier=provocation.verifier,
                    answer_format=provocation.answer_format(self.engine),
                )
                decoders = section_texts(self.tokenizer.backend_tokenizer)
                conductor = Conductor(timed, self.bound, assignment, decoders)
                async for _ in conductor.run():
                    pass
                num_cuts += len(conductor.trace.interventions)

        await asyncio.gather(*(ask(index, problem) for index, problem in enumerate(self.problems)))
        return timed, num_cuts

    async def price(self, kind: str, streams: int, rounds: int) -> dict[str, Any]:
        """Medians over the rounds behind the first."""
        first, _ = await self.round(PROVOCATIONS[kind], streams, 0)
        later = [await self.round(PROVOCATIONS[kind], streams, number) for number in range(1, rounds + 1)]
        step_s = statistics.median(s for timed, _ in later for s in timed.steps_s)
        pauses_s = [s for timed, _ in later for s in timed.pauses_s]
        passed = [count for timed, _ in later for count in timed.passed] if streams > 1 else []
        return {
            "kind": kind,
            "streams": streams,
            "cuts": len(pauses_s),
            "step_ms": step_s * 1e3,
            "pause_ms": statistics.median(pauses_s) * 1e3,
            "steps": statistics.median(pauses_s) / step_s - 1,
            "steps_p95": statistics.quantiles(pauses_s, n=20)[-1] / step_s - 1 if len(pauses_s) > 1 else None,
            "engine_steps": statistics.median(passed) - 1 if passed else None,
            "steps_first_round": statistics.median(first.pauses_s) / step_s - 1 if first.pauses_s else None,
        }


def main() -> int:
    """Measure, print a markdown table, write JSON if asked to."""
    arguments = read_arguments()
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    bench = load(arguments.model, arguments.problems, arguments.seed)
    try:
        records = asyncio.run(measure(bench, arguments))
    finally:
        bench.engine.shutdown()
    print(table(records))
    if arguments.json:
        report = {"arguments": {k: str(v) for k, v in vars(arguments).items()}, "results": records}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


async def measure(bench: Bench, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    records = []
    for streams in arguments.streams:
        for kind in arguments.kinds:
            records.append(await bench.price(kind, streams, arguments.rounds))
            print(records[-1], file=sys.stderr)
    return records


def load(model: Path, num_problems: int, seed: int) -> Bench:
    """Start the engine."""
    tokenizer = load_tokenizer(str(model), trust_remote_code=False)
    bound = detect_protocol(tokenizer).bind(tokenizer)
    engine = VllmEngine.start(Settings(model=str(model)))
    problems = [problem.prompt for problem in held_out_problems("countdown", (3,), num_problems, seed)]
    return Bench(engine, bound, tokenizer, PromptEncoder(tokenizer, bound.special_ids), problems)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/steiner-tiny", help="checkpoint folder")
    parser.add_argument(
        "--kinds", nargs="+", default=list(PROVOCATIONS), choices=PROVOCATIONS, help="what to provoke"
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16], help="generations at a time")
    parser.add_argument("--problems", type=int, default=16, help="generations in a round")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds behind the first")
    parser.add_argument("--seed", type=int, default=1, help="of the problems")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


def table(records: list[dict[str, Any]]) -> str:
    """Markdown: the price of a cut in decode steps, median and 95th percentile."""
    lines = [
        "| streams | kind | cuts | decode step, ms | pause, ms | price, steps | 95 % | first round | engine steps |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for record in records:
        figures = ["-" if record[name] is None else f"{record[name]:.1f}" for name in FIGURES]
        lines.append(f"| {record['streams']} | {record['kind']} | {record['cuts']} | {' | '.join(figures)} |")
    return "\n".join(lines)


FIGURES = ("step_ms", "pause_ms", "steps", "steps_p95", "steps_first_round", "engine_steps")


if __name__ == "__main__":
    sys.exit(main())
