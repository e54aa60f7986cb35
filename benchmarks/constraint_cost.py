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
from typing import Any

import torch
import xgrammar
from legal_walks import Walk
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.decoding import SectionDecoder
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.parser import Parser
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.assignment import Assignment
from steiner.server.conductor import Conductor
from steiner.server.engine import Sampling, TokenRequest
from steiner.server.scripted_engine import Script, ScriptedEngine

CHUNKS = (1, 8, 64)
#: Threads of vLLM's compiler of grammars (v1/structured_output/backend_xgrammar.py).
COMPILER_THREADS = 8

Clock = Callable[[], float]


class RefusedError(Exception):
    """The grammar or an intervention stopped a walk that the automaton allows."""


@dataclass(frozen=True, slots=True)
class Compilation:
    """The way of a new policy, and of the second request with it, in seconds.

    Attributes:
        write_s: our text, written for the first time.
        check_s: xgrammar parses the text; vLLM's front end does that for every request.
        compile_s: xgrammar compiles the text in vLLM's engine process.
        write_again_s: our text from the cache.
        compile_again_s: xgrammar's compilation from its cache, and a matcher over it.
    """

    write_s: float
    check_s: float
    compile_s: float
    write_again_s: float
    compile_again_s: float


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Microseconds a token on one walk.

    Attributes:
        grammar: vLLM's calls of the matcher: mask, accept, look whether it has ended.
        apply_mask: the mask over one row of float32 logits on the CPU; a GPU engine does it on the GPU.
        parser: `Parser.feed` in updates of so many tokens, the events built.
        conductor: all that ours does between engine and server, parser and interventions included, a token an update.
    """

    grammar: float
    apply_mask: float
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
            "apply_mask": self.apply_mask,
        }


class Engine:
    """xgrammar as vLLM sets it up for one tokenizer.

    Args:
        num_rows: of the logits; those behind the tokenizer's last id are padding.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol, num_rows: int) -> None:
        self.bound = bound
        self.num_rows = num_rows
        self._info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=num_rows)
        self._compiler = self.new_compiler()
        self._bits = xgrammar.allocate_token_bitmask(1, num_rows)
        self._logits = torch.zeros(1, num_rows)

    def new_compiler(self) -> Any:
        """A compiler that has compiled nothing."""
        return xgrammar.GrammarCompiler(self._info, max_threads=COMPILER_THREADS, cache_enabled=True)

    def matcher(self, text: str, compiler: Any = None) -> Any:
        """A matcher at the start of a grammar."""
        compiled = (compiler or self._compiler).compile_grammar(text)
        return xgrammar.GrammarMatcher(compiled, override_stop_tokens=[self.bound.end_of_turn_id])

    def follow(self, text: str, token_ids: list[int]) -> float:
        """Seconds to follow a sequence from the grammar's start.

        Raises:
            RefusedError: the grammar refuses a token.
        """
        matcher, bits = self.matcher(text), self._bits
        begin_s = time.thread_time()
        for token_id in token_ids:
            matcher.fill_next_token_bitmask(bits, 0)
            if not matcher.accept_token(token_id):
                raise RefusedError(f"the grammar refuses token {token_id}, which the automaton allows")
            matcher.is_terminated()
        return time.thread_time() - begin_s

    def share_of_phases(self, text: str, walk: Walk) -> dict[str, float]:
        """Of the time to follow a walk, by what its tokens are; from the median token of each kind."""
        matcher, bits = self.matcher(text), self._bits
        spent_s: dict[str, list[float]] = defaultdict(list)
        for token_id, phase in zip(walk.token_ids, walk.phases, strict=True):
            # The clock of the thread would cost as much as a marker does.
            begin_s = time.perf_counter()
            matcher.fill_next_token_bitmask(bits, 0)
            matcher.accept_token(token_id)
            matcher.is_terminated()
            spent_s[phase].append(time.perf_counter() - begin_s)
        typical = {phase: statistics.median(times) * len(times) for phase, times in spent_s.items()}
        return {phase: time_s / sum(typical.values()) for phase, time_s in typical.items()}

    def apply_mask(self, num_times: int) -> float:
        """Seconds to mask one row of logits so many times."""
        begin_s = time.thread_time()
        for _ in range(num_times):
            xgrammar.apply_token_bitmask_inplace(self._logits, self._bits)
        return time.thread_time() - begin_s


def compilation(engine: Engine, policy: Policy) -> Compilation:
    """Compile for a policy that is new to every cache, then again."""
    compiler = engine.new_compiler()
    with _timed() as write_s:
        text = compile_grammar(engine.bound, policy)
    with _timed() as check_s:
        xgrammar.Grammar.from_ebnf(text)
    with _timed() as compile_s:
        engine.matcher(text, compiler)
    with _timed() as write_again_s:
        again = compile_grammar(engine.bound, policy.model_copy())
    with _timed() as compile_again_s:
        engine.matcher(again, compiler)
    return Compilation(
        write_s=write_s(),
        check_s=check_s(),
        compile_s=compile_s(),
        write_again_s=write_again_s(),
        compile_again_s=compile_again_s(),
    )


def token_cost(
    engine: Engine, policy: Policy, walk: Walk, new_decoder: Callable[[], SectionDecoder]
) -> TokenCost:
    """One measurement of a walk."""
    microseconds = 1e6 / len(walk.token_ids)
    text = compile_grammar(engine.bound, policy)
    return TokenCost(
        grammar=engine.follow(text, walk.token_ids) * microseconds,
        apply_mask=engine.apply_mask(len(walk.token_ids)) * microseconds,
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
    # xgrammar compiles in threads of its own.
    spent_s = 0.0
    begin_s = time.process_time()
    yield lambda: spent_s
    spent_s = time.process_time() - begin_s
