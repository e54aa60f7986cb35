"""What the constraint costs: seconds to make a grammar, microseconds a token to follow it and to read it.

CPU time, not wall time: it repeats on a machine that others use as well.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import llguidance.hf
from legal_walks import Walk
from llguidance import LLMatcher, grammar_from
from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.conductor.assignment import Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling, TokenRequest
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

CHUNKS = (1, 8, 64)

Clock = Callable[[], float]


class RefusedError(Exception):
    """The grammar or an intervention stopped a walk that the automaton allows."""


@dataclass(frozen=True, slots=True)
class Compilation:
    """From a policy to a grammar that can be followed, in seconds.

    Attributes:
        write_s: our text, written for the first time.
        write_again_s: our text from the cache.
        check_s: llguidance parses the text without a tokenizer; vLLM's front end does that for every request.
        compile_s: llguidance compiles the text; vLLM's engine process does that for every request.
    """

    write_s: float
    write_again_s: float
    check_s: float
    compile_s: float


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Microseconds a token on one walk.

    Attributes:
        grammar: vLLM's calls of the matcher: mask, accept, look for errors and whether it has ended.
        parser: `Parser.feed` in updates of so many tokens, the events built.
        conductor: all that ours does between engine and server, parser and interventions included, a token an update.
    """

    grammar: float
    parser: dict[int, float]
    conductor: float

    @property
    def lanes(self) -> dict[str, float]:
        """By name; the sum is that of grammar and parser where every token is an update of its own."""
        parser = {f"parser_{size}": cost for size, cost in self.parser.items()}
        return {
            "grammar": self.grammar,
            **parser,
            "grammar_and_parser": self.grammar + self.parser[1],
            "conductor": self.conductor,
        }


class Engine:
    """llguidance as vLLM sets it up for one tokenizer.

    Args:
        num_rows: of the logits; those behind the tokenizer's last id are padding.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol, num_rows: int) -> None:
        self.bound = bound
        self.num_rows = num_rows
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, num_rows)
        self._bits = allocate_token_bitmask(1, num_rows)

    def matcher(self, text: str) -> LLMatcher:
        """A matcher at the start of a grammar."""
        return LLMatcher(self._tokenizer, grammar_from("grammar", text))

    def follow(self, text: str, token_ids: list[int]) -> float:
        """Seconds to follow a sequence from the grammar's start.

        Raises:
            RefusedError: the grammar refuses a token.
        """
        matcher = self.matcher(text)
        begin_s = time.thread_time()
        for token_id in token_ids:
            if not self._go_on(matcher, token_id):
                raise RefusedError(f"the grammar refuses token {token_id}, which the automaton allows")
        return time.thread_time() - begin_s

    def _go_on(self, matcher: LLMatcher, token_id: int) -> bool:
        """What vLLM does for a token (v1/structured_output/backend_guidance.py)."""
        fill_next_token_bitmask(matcher, self._bits, 0)
        matcher.get_error()
        matcher.is_stopped()
        is_accepted = matcher.consume_tokens([token_id])
        matcher.get_error()
        return is_accepted

    def share_of_phases(self, text: str, walk: Walk) -> dict[str, float]:
        """Of the time to follow a walk, by what its tokens are; from the median token of each kind."""
        matcher = self.matcher(text)
        spent_s: dict[str, list[float]] = defaultdict(list)
        for token_id, phase in zip(walk.token_ids, walk.phases, strict=True):
            # The clock of the thread would cost as much as a marker does.
            begin_s = time.perf_counter()
            self._go_on(matcher, token_id)
            spent_s[phase].append(time.perf_counter() - begin_s)
        typical = {phase: statistics.median(times) * len(times) for phase, times in spent_s.items()}
        return {phase: time_s / sum(typical.values()) for phase, time_s in typical.items()}


def compilation(engine: Engine, policy: Policy) -> Compilation:
    """Compile for a policy that is new to every cache, then again."""
    with _timed() as write_s:
        text = compile_grammar(engine.bound, policy)
    with _timed() as write_again_s:
        compile_grammar(engine.bound, policy.model_copy())
    with _timed() as check_s:
        LLMatcher.validate_grammar(grammar_from("grammar", text))
    with _timed() as compile_s:
        engine.matcher(text)
    return Compilation(
        write_s=write_s(), write_again_s=write_again_s(), check_s=check_s(), compile_s=compile_s()
    )


def token_cost(
    engine: Engine, policy: Policy, walk: Walk, new_decoder: Callable[[], SectionDecoder]
) -> TokenCost:
    """One measurement of a walk."""
    microseconds = 1e6 / len(walk.token_ids)
    text = compile_grammar(engine.bound, policy)
    return TokenCost(
        grammar=engine.follow(text, walk.token_ids) * microseconds,
        parser={
            size: parse(Parser(engine.bound, new_decoder), walk.token_ids, size) * microseconds
            for size in CHUNKS
        },
        conductor=conduct(engine.bound, policy, walk.token_ids, new_decoder) * microseconds,
    )


def parse(parser: Parser, token_ids: list[int], size: int) -> float:
    """Seconds to read a sequence in updates of `size` tokens."""
    begin_s = time.thread_time()
    for at in range(0, len(token_ids), size):
        parser.feed(token_ids[at : at + size], now_s=begin_s)
    return time.thread_time() - begin_s


def conduct(
    bound: BoundProtocol, policy: Policy, token_ids: list[int], new_decoder: Callable[[], SectionDecoder]
) -> float:
    """Seconds of a conductor over an engine that says the sequence, less those of the engine itself.

    Raises:
        RefusedError: an intervention cuts.
    """
    assignment = Assignment(
        id="rsn_benchmark",
        model="scripted",
        prompt_ids=(0,),
        policy=policy,
        sampling=Sampling(),
        max_tokens=len(token_ids),
    )
    request = TokenRequest("alone", assignment.prompt_ids, len(token_ids), assignment.sampling, ())
    alone, engine = (ScriptedEngine([Script(token_ids)], max_model_len=1 + len(token_ids)) for _ in range(2))
    engine_s = asyncio.run(_exhaust(alone.generate(request)))
    conductor = Conductor(engine, bound, assignment, new_decoder)
    spent_s = asyncio.run(_exhaust(conductor.run()))
    if len(engine.requests) > 1 or conductor.progress.num_tokens < len(token_ids):
        raise RefusedError("an intervention cuts the walk, which the policy allows")
    return spent_s - engine_s


async def _exhaust(updates: AsyncGenerator[object, None]) -> float:
    begin_s = time.thread_time()
    async for _ in updates:
        pass
    return time.thread_time() - begin_s


@contextmanager
def _timed() -> Iterator[Clock]:
    spent_s = 0.0
    begin_s = time.thread_time()
    yield lambda: spent_s
    spent_s = time.thread_time() - begin_s
