"""The engine: vLLM's AsyncLLM, in this process' frontend and its own core process.

It imports vllm late, because importing this file must not take seconds. `headless` does the same. vLLM's engine
process also imports `cpu_executor`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from steiner.reasoning.grammar.certain_tokens import Mark
from steiner.server.engine.base import (
    EngineDead,
    EngineError,
    EngineRefusal,
    TokenLogprobs,
    TokenRequest,
    TokenUpdate,
)
from steiner.server.engine.speculation.choice import WITHOUT, Speculation, choose_speculation
from steiner.server.settings import Settings

if TYPE_CHECKING:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.logprobs import Logprob, SampleLogprobs
    from vllm.v1.engine.async_llm import AsyncLLM

logger = logging.getLogger(__name__)

LEAST_LOGPROB = -9999.0
SAMPLING_DEFAULTS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens")


class EngineStartError(Exception):
    """vLLM could not be started with these settings; the message says which and what to change."""


def engine_arguments(
    settings: Settings, *, on_cpu: bool, known: frozenset[str], speculation: Speculation = WITHOUT
) -> dict[str, Any]:
    """Keyword arguments of AsyncEngineArgs for these settings.

    Args:
        speculation: the one that was chosen, whose arguments are among them.

    Raises:
        EngineStartError: `settings.engine_args` names an argument that vLLM does not have.
    """
    unknown = sorted(set(settings.engine_args) - known)
    if unknown:
        raise EngineStartError(
            f"engine_args has {', '.join(unknown)}, which vLLM's AsyncEngineArgs does not know; "
            "see https://docs.vllm.ai/en/latest/configuration/engine_args.html for the names"
        )
    arguments: dict[str, Any] = {
        "model": settings.model,
        "trust_remote_code": settings.trust_remote_code,
        "dtype": settings.dtype,
        "seed": settings.seed,
        "tensor_parallel_size": settings.tensor_parallel_size,
        "pipeline_parallel_size": settings.pipeline_parallel_size,
        "data_parallel_size": settings.data_parallel_size,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "max_model_len": settings.max_model_len,
        "max_num_seqs": settings.max_num_seqs,
        "quantization": settings.quantization,
        "enforce_eager": settings.enforce_eager,
        "block_size": settings.block_size,
        "served_model_name": settings.model_id,
        "otlp_traces_endpoint": settings.otlp_traces_endpoint,
        # With auto, the first structured request would choose the backend for all later ones.
        "structured_outputs_config": {"backend": "guidance"},
        "enable_prefix_caching": True,
    }
    if settings.nnodes > 1:
        arguments |= {
            "nnodes": settings.nnodes,
            "node_rank": settings.node_rank,
            "master_addr": settings.master_addr,
            "master_port": settings.master_port,
        }
    if on_cpu:
        if settings.dtype == "auto":
            arguments["dtype"] = "float32"
        if settings.enforce_eager is None:
            # Compiling needs a C++ compiler on the machine, and brings small models nothing.
            arguments["enforce_eager"] = True
        if settings.block_size is None:
            # A continuation recomputes at most one block. vLLM's 128 would be four times as much.
            arguments["block_size"] = 32
        # A prompt with a seed that is prefilled in parts kills vLLM's engine: it resets the generator's offset, which
        # torch's generators for CPU do not have. So a batch has room for the longest prompt undivided.
        arguments["enable_chunked_prefill"] = False
    arguments = {name: value for name, value in arguments.items() if value is not None}
    return arguments | _merged(speculation.arguments, settings.engine_args)


def _merged(speculation: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for outranks ours; an `additional_config` of the user's keeps its own keys."""
    merged = {**speculation, **asked}
    if "additional_config" in speculation and "additional_config" in asked:
        merged["additional_config"] = {**asked["additional_config"], **speculation["additional_config"]}
    return merged


class VllmEngine:
    """A `TokenEngine` over AsyncLLM."""

    def __init__(self, llm: AsyncLLM, speculation: Speculation = WITHOUT) -> None:
        self._llm = llm
        self._speculation = speculation
        self._is_traced = llm.observability_config.otlp_traces_endpoint is not None
        self._default_sampling = {
            name: value
            for name, value in llm.model_config.get_diff_sampling_param().items()
            if name in SAMPLING_DEFAULTS and value is not None
        }

    @classmethod
    def start(cls, settings: Settings, marks: Sequence[Mark] = ()) -> VllmEngine:
        """Load the model; blocks for seconds to minutes, so call it from a thread.

        Args:
            marks: of the protocol that is served, for speculation.

        Raises:
            EngineStartError: vLLM refuses the settings or fails to load the model.
        """
        with failing_to_start(settings):
            arguments, speculation = engine_args(settings, marks)
            from vllm.envs import enable_envs_cache
            from vllm.platforms import current_platform
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.async_llm import AsyncLLM

            # The batch sizes that vLLM's own server and its headless machines use.
            context = UsageContext.OPENAI_API_SERVER
            config = arguments.create_engine_config(context)
            if current_platform.is_cpu():
                from steiner.server.engine.cpu_executor import choose_executor

                choose_executor(config, arguments.distributed_executor_backend)
            # No local name for vLLM's engine here: failed imports keep this frame alive, and with it the engine.
            engine = cls(
                AsyncLLM.from_vllm_config(
                    config,
                    usage_context=context,
                    enable_log_requests=arguments.enable_log_requests,
                    disable_log_stats=arguments.disable_log_stats,
                ),
                speculation,
            )
            # By itself vLLM does this only in its other processes, and asks the environment for every token here.
            enable_envs_cache()
            return engine

    async def begin_speculation(self) -> None:
        """Make our part of the chosen speculation begin; once, before the first request.

        vLLM's front end refuses `logit_bias` and `min_p` beside any speculation. With our drafter they work, because it
        drafts nothing for those requests.
        """
        if self._speculation.mode in ("protocol", "ngram"):
            await self._llm.collective_rpc("begin_speculation")
        if self._speculation.mode == "protocol":
            self._llm.input_processor.speculative_config = None

    @property
    def bias_refusal(self) -> str | None:
        if self._speculation.mode in ("ngram", "own"):
            return "vLLM's own speculation cannot apply it; serve with --speculation protocol or off"
        return None

    def draft_counts(self) -> Mapping[str, int] | None:
        counts = self._speculation.counts
        return None if counts is None else counts.read()

    @property
    def max_model_len(self) -> int:
        return int(self._llm.model_config.max_model_len)

    @property
    def default_sampling(self) -> Mapping[str, float | int]:
        return self._default_sampling

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        from vllm.exceptions import VLLMClientError
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        structured = None
        if request.grammar is not None:
            structured = StructuredOutputsParams(grammar=request.grammar)
        try:
            params = SamplingParams(
                **dataclasses.asdict(request.sampling),
                max_tokens=request.max_tokens,
                min_tokens=min(request.min_tokens, request.max_tokens),
                stop_token_ids=list(request.stop_ids),
                structured_outputs=structured,
                logit_bias=dict(request.logit_bias) or None,
                logprobs=request.num_logprobs,
                detokenize=False,
                skip_clone=True,
                output_kind=RequestOutputKind.DELTA,
            )
            outputs = self._llm.generate(
                {"type": "token", "prompt_token_ids": list(request.prompt_ids)},
                params,
                request.request_id,
                # vLLM would warn if there is no place to send spans.
                trace_headers=request.trace_headers if self._is_traced else None,
            )
            async with aclosing(outputs):
                async for output in outputs:
                    completion = output.outputs[0]
                    match completion.finish_reason:
                        case None | "stop" | "length" as reason:
                            logprobs = _told(completion.logprobs, request.num_logprobs)
                            yield TokenUpdate(
                                completion.token_ids, reason, logprobs, output.num_cached_tokens
                            )
                        case reason:
                            raise EngineError(f"the engine ended the request with {reason!r}")
        except EngineDeadError as error:
            raise EngineDead("the engine has stopped") from error
        except VLLMClientError as error:
            raise EngineRefusal(str(error)) from error
        except EngineGenerateError as error:
            raise EngineError("the engine failed on this request") from error

    async def check_health(self) -> None:
        if self._llm.errored:
            raise EngineDead("the engine has stopped")

    def shutdown(self) -> None:
        self._llm.shutdown()
        # Collected now rather than when the interpreter ends, where its finaliser no longer works.
        del self._llm
        if self._speculation.counts is not None:
            self._speculation.counts.close()


def engine_args(settings: Settings, marks: Sequence[Mark] = ()) -> tuple[AsyncEngineArgs, Speculation]:
    """vLLM's arguments, the same on every machine, and the speculation among them."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings.cpu_kv_cache_gib))
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform

    known = frozenset(field.name for field in dataclasses.fields(AsyncEngineArgs))
    on_cpu = current_platform.is_cpu()
    speculation = choose_speculation(settings, marks, on_cpu=on_cpu)
    logger.info("speculation: %s (%s)", speculation.mode, speculation.reason)
    arguments = engine_arguments(settings, on_cpu=on_cpu, known=known, speculation=speculation)
    return AsyncEngineArgs(**arguments), speculation


@contextmanager
def failing_to_start(settings: Settings) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise EngineStartError(
            f"vLLM cannot be imported ({error}); install steiner[cpu] or steiner[gpu]"
        ) from error
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise EngineStartError(f"vLLM could not start with model {settings.model!r}: {error}") from error


def _told(logprobs: SampleLogprobs | None, num_top: int | None) -> list[TokenLogprobs] | None:
    """vLLM's log probabilities. At each place the sampled token comes first."""
    if num_top is None or logprobs is None:
        return None

    def value(one: Logprob) -> float:
        # JSON has no number for the logarithm of 0, and rounding may lift a certainty above 0.
        return min(max(float(one.logprob), LEAST_LOGPROB), 0.0)

    told = []
    for place in logprobs:
        # Both of vLLM's runners mask what the grammar forbids before they compute log probabilities. Where less is
        # legal than was asked for, they fill up with masked tokens, which say nothing.
        legal = [item for item in place.items() if not math.isinf(item[1].logprob)]
        ranked = sorted(legal, key=lambda item: item[1].rank or 0)[:num_top]
        top = tuple((token_id, value(one)) for token_id, one in ranked)
        told.append(TokenLogprobs(value(next(iter(place.values()))), top))
    return told
