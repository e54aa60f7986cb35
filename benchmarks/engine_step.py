"""Time per token of vLLM itself, with and without a grammar, on a checkpoint of ours.

Wall time is what a user waits and CPU time what repeats on a busy machine; the latter counts the engine's own
processes, idle spinning included.
"""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from processes import children, cpu_seconds
from transformers import AutoTokenizer

from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols import detect_protocol
from steiner.server.engine.vllm_engine import engine_arguments
from steiner.server.settings import Settings

#: Reasoning that goes on for longer than any request here.
POLICY = Policy(min_steps=16, max_steps=16, max_depth=8, max_backtracks=8)
PROMPT = "make 22 from 15 4 11"


class OfflineEngine:
    """vLLM's engine without a server, set up as `steiner serve` does it; takes half a minute to start.

    Args:
        model: checkpoint folder.
        max_tokens: of every request; each generates exactly so many.
    """

    def __init__(self, model: Path, max_tokens: int) -> None:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        from vllm import LLM
        from vllm.engine.arg_utils import EngineArgs
        from vllm.platforms import current_platform

        known = frozenset(field.name for field in dataclasses.fields(EngineArgs))
        arguments = engine_arguments(
            Settings(model=str(model)), on_cpu=current_platform.is_cpu(), known=known
        )
        tokenizer = AutoTokenizer.from_pretrained(model)
        bound = detect_protocol(tokenizer).bind(tokenizer)
        self.vocab_size = len(tokenizer)
        self._grammar = compile_grammar(bound, POLICY)
        self._prompt_ids = tokenizer.encode(PROMPT, add_special_tokens=False)
        self._max_tokens = max_tokens
        self._llm = LLM(**arguments)

    def run(self, concurrency: int, *, constrained: bool) -> dict[str, float]:
        """Generate a batch; microseconds a token, of wall time and of the engine's CPU time."""
        from vllm.sampling_params import SamplingParams, StructuredOutputsParams

        def params() -> Any:
            return SamplingParams(
                max_tokens=self._max_tokens,
                ignore_eos=True,
                detokenize=False,
                structured_outputs=StructuredOutputsParams(grammar=self._grammar) if constrained else None,
            )

        prompts = [{"prompt_token_ids": self._prompt_ids}] * concurrency
        pids = children(os.getpid())
        begin_s, cpu_before_s = time.perf_counter(), sum(map(cpu_seconds, pids))
        outputs = self._llm.generate(prompts, [params() for _ in prompts], use_tqdm=False)
        wall_s, cpu_s = time.perf_counter() - begin_s, sum(map(cpu_seconds, pids)) - cpu_before_s
        num_tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
        return {"wall": wall_s / num_tokens * 1e6, "cpu": cpu_s / num_tokens * 1e6}
