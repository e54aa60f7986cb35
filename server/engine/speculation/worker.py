"""What is mixed into vLLM's worker (`worker_extension_cls`): it makes speculation begin there.

On a CPU it also mends vLLM 0.32, which under speculation samples at temperatures that it reads from unwritten memory.
Its `expand_batch_to_tokens` writes to a copy (https://github.com/vllm-project/vllm/issues/55005), so every request that
is not greedy would be sampled from another distribution. A test tells when vLLM has mended it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from steiner.server.engine.speculation.drafter import ProtocolDrafter


class SpeculatingWorker:
    """What vLLM mixes into its worker (`worker_extension_cls`)."""

    model_runner: Any

    def begin_speculation(self) -> None:
        """Introduce drafter and model runner; called in every worker once the engine stands, before any request."""
        if self.model_runner.device.type == "cpu":
            mend_expansion()
        drafter = self.model_runner.drafter
        if isinstance(drafter, ProtocolDrafter):
            restore_logits_processors(self.model_runner)
            skip_empty_checks(self.model_runner)
            drafter.attach(self.model_runner)


def restore_logits_processors(runner: Any) -> None:
    """Give vLLM's model runner the processors of `logit_bias` and `min_p`.

    Beside speculation vLLM leaves them out, because it applies them to no drafted token. Our drafter drafts none for
    requests that have these parameters. So with the processors back, they are sampled as without speculation.
    """
    from vllm.utils.platform_utils import is_pin_memory_available
    from vllm.v1.sample.logits_processor import build_logitsprocs

    config = copy.copy(runner.vllm_config)
    config.speculative_config = None
    runner.input_batch.logitsprocs = build_logitsprocs(
        config, runner.device, is_pin_memory_available(), is_pooling_model=False
    )


def skip_empty_checks(runner: Any) -> None:
    """Sample a step without drafts as without speculation. The way that vLLM takes is 3 to 10 % of a small step."""
    sampler, check = runner.sampler, runner.rejection_sampler.forward

    def forward(metadata: Any, draft_probs: Any, logits: Any, sampling_metadata: Any) -> Any:
        if metadata.max_spec_len:
            return check(metadata, draft_probs, logits, sampling_metadata)
        return sampler(logits=logits, sampling_metadata=sampling_metadata)

    runner.rejection_sampler.forward = forward


def expand_batch_to_tokens(
    x: torch.Tensor, cu_num_tokens: torch.Tensor, num_tokens: int, replace_from: int = 0, replace_to: int = 0
) -> torch.Tensor:
    """Each request's value once for each of its drafted tokens, as vLLM's function of this name promises.

    Args:
        x: of shape (requests,).
        cu_num_tokens: drafted tokens of the requests up to each, of shape (requests,).
        replace_from: a value to put `replace_to` in place of.

    Returns:
        A tensor of shape (num_tokens,).
    """
    counts = torch.diff(cu_num_tokens, prepend=cu_num_tokens.new_zeros(1))
    replaced = torch.where(x == replace_from, torch.full_like(x, replace_to), x)
    return torch.repeat_interleave(replaced, counts, output_size=num_tokens)


def mend_expansion() -> None:
    """Put it in the place of vLLM's, in this process."""
    from vllm.v1.sample import rejection_sampler

    rejection_sampler.expand_batch_to_tokens = expand_batch_to_tokens
