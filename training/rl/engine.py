"""The policy's sampler: one vLLM engine that lives through the stage and takes new weights before each batch.

The only file of the training that imports vllm, and it does so late.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from steiner.reasoning.errors import SteinerError
from steiner.training.config.reinforcement import Rollouts

if TYPE_CHECKING:
    from vllm import LLM
    from vllm.outputs import CompletionOutput

BLOCK_TOKENS = 32
"""Tokens of a block of the KV cache on a CPU. With vLLM's 128, a group would share nothing of most prompts."""


class RolloutEngineError(SteinerError):
    """vLLM cannot be started for rollouts; the message says why and what to change."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One completion to sample.

    Attributes:
        prompt_ids: token ids, generation prompt included.
        seed: of this completion only, so that it does not depend on what else is sampled.
    """

    prompt_ids: Sequence[int]
    seed: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What was sampled.

    Attributes:
        token_ids: up to the end of turn, including it if it came.
        logprobs: of each token, in nats, under the distribution that it was drawn from.
    """

    token_ids: list[int]
    logprobs: list[float]


class Sampler(Protocol):
    """What the stage uses for rollouts; `RolloutEngine` is one."""

    def load(self, folder: Path) -> None:
        """Take weights that `write_weights` wrote, and drop what was computed with earlier ones."""

    def sample(
        self, requests: Sequence[SampleRequest], temperature: float, max_new_tokens: int, stop_id: int
    ) -> list[Completion]:
        """Completions in the order of the requests; temperature 0 is greedy."""

    def rest(self) -> None:
        """Nothing is sampled until the next `load`, so give back as much memory as possible."""


class RolloutEngine:
    """A `Sampler` over vLLM, with the scheduler in this process and the model in worker processes.

    Scheduled here, a batch is complete before its first step. Requests that arrive one by one would be batched by
    chance, and sums of floats in another order sometimes give another token. The workers end when this process does,
    however it ends.
    """

    def __init__(self, llm: LLM, *, sleeps: bool) -> None:
        self._llm = llm
        self._sleeps = sleeps

    @classmethod
    def start(cls, folder: Path, rollouts: Rollouts, max_model_len: int, seed: int) -> RolloutEngine:
        """Load what `write_weights` wrote; blocks for seconds to minutes.

        Args:
            max_model_len: tokens of the longest prompt and completion together.

        Raises:
            RolloutEngineError: vLLM is not installed, or refuses the settings.
        """
        with _untouched_process():
            try:
                from vllm import LLM
                from vllm.platforms import current_platform
            except ImportError as error:
                raise RolloutEngineError(
                    f"Rollouts need vLLM, which cannot be imported ({error}); install steiner[cpu] or steiner[gpu]."
                ) from error
            on_cpu = bool(current_platform.is_cpu())
            arguments = engine_arguments(rollouts, on_cpu=on_cpu)
            try:
                llm = LLM(model=str(folder), max_model_len=max_model_len, seed=seed, **arguments)
            except (OSError, ValueError, RuntimeError, TypeError) as error:
                raise RolloutEngineError(
                    f"vLLM could not start with {folder} for rollouts; see rl.rollouts in the recipe: {error}"
                ) from error
        engine = cls(llm, sleeps=arguments["enable_sleep_mode"])
        engine.rest()
        return engine

    def load(self, folder: Path) -> None:
        if self._sleeps:
            self._llm.wake_up(tags=["weights"])
        self._llm.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
        if self._sleeps:
            self._llm.wake_up(tags=["kv_cache"])
        # vLLM identifies a cached prefix only by its tokens, whichever weights computed it.
        self._llm.reset_prefix_cache()

    def sample(
        self, requests: Sequence[SampleRequest], temperature: float, max_new_tokens: int, stop_id: int
    ) -> list[Completion]:
        from vllm import SamplingParams

        outputs = self._llm.generate(
            [{"prompt_token_ids": list(request.prompt_ids)} for request in requests],
            [
                SamplingParams(
                    temperature=temperature,
                    seed=request.seed,
                    max_tokens=max_new_tokens,
                    stop_token_ids=[stop_id],
                    ignore_eos=True,
                    logprobs=0,
                    detokenize=False,
                )
                for request in requests
            ],
            use_tqdm=False,
        )
        return [_completion(output.outputs[0]) for output in outputs]

    def rest(self) -> None:
        if self._sleeps:
            # Level 2 keeps nothing, because the next weights are different anyway.
            self._llm.sleep(level=2)

    def close(self) -> None:
        """End the workers."""
        client = self._llm.llm_engine.engine_core
        # vLLM's own shutdown, also when it is collected, would end this process' groups too, which are the training's.
        client._finalizer.detach()
        client.engine_core.model_executor.shutdown()
        client.engine_core.scheduler.shutdown()
        # Objects that existed when the engine started were hidden from collection.
        gc.unfreeze()


def engine_arguments(rollouts: Rollouts, *, on_cpu: bool) -> dict[str, Any]:
    """Keyword arguments of vLLM's `LLM` for these settings."""
    arguments: dict[str, Any] = {
        "tensor_parallel_size": rollouts.tensor_parallel,
        # Separate workers even if there is only one, because they bring their own threads and process groups.
        "distributed_executor_backend": "mp",
        "dtype": "float32" if on_cpu else "bfloat16",
        "skip_tokenizer_init": True,
        # Otherwise a request would take what the checkpoint's generation_config.json says.
        "generation_config": "vllm",
        "logprobs_mode": "processed_logprobs",
        "enable_prefix_caching": True,
        "enable_sleep_mode": not on_cpu,
        "max_num_seqs": rollouts.concurrent,
        "use_tqdm_on_load": False,
    }
    if on_cpu:
        arguments["enforce_eager"] = True
        arguments["block_size"] = BLOCK_TOKENS
        # A seeded prompt in parts kills vLLM's engine: it rewinds the generator, which torch cannot do on a CPU.
        arguments["enable_chunked_prefill"] = False
        arguments["kv_cache_memory_bytes"] = round(rollouts.cpu_cache_gib * 2**30)
    else:
        arguments["gpu_memory_utilization"] = rollouts.gpu_memory
    return arguments


def _completion(output: CompletionOutput) -> Completion:
    ids = list(output.token_ids)
    told = output.logprobs or []
    return Completion(ids, [at[token].logprob for token, at in zip(ids, told, strict=True)])


@contextmanager
def _untouched_process() -> Iterator[None]:
    """Undo what vLLM sets for itself and its workers while it starts: environment and threads."""
    before, threads = dict(os.environ), torch.get_num_threads()
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    # At each change of weights it warns about layers without any.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    # In this process it may have been imported, and have set up its log, before.
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])
    # Sampling and updates take turns: the workers have this process' cores and as many threads.
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        torch.set_num_threads(threads)
