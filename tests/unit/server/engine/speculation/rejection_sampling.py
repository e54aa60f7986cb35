"""vLLM's rejection sampler alone, with the kernels that its worker gives it, as JSON: how often each token came.

A process of its own, as a worker is: vLLM looks through all modules for what its kernels replace, and stumbles over
those of Numba. In a worker, too, they come later.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TEMPERATURES = (0.6, 1.0, 1.7)
NUM_ROWS, NUM_RUNS, NUM_TOKENS, NUM_EXPANDED = 3_000, 30, 12, 40


def main() -> None:
    """Write it."""
    from vllm.platforms import current_platform

    current_platform.import_kernels()
    current_platform.register_triton_kernel_overrides()
    from vllm.v1.sample import rejection_sampler

    from steiner.server.engine.speculation.worker import mend_expansion

    right = num_expanded_right(rejection_sampler.expand_batch_to_tokens)
    mend_expansion()
    torch.manual_seed(3)
    logits = torch.randn(NUM_TOKENS) * 1.5
    likely, unlikely = int(logits.argmax()), int(logits.argmin())
    counts = [
        counts_beside(rejection_sampler, logits, drafted)
        for drafted in ([likely, unlikely], [unlikely, likely])
    ]
    print(json.dumps({"right": right, "logits": logits.tolist(), "counts": counts}))


def num_expanded_right(expand: Any) -> int:
    """How often one value for each of eight requests becomes the same value for each of their tokens."""
    right = 0
    for number in range(NUM_EXPANDED):
        value = 0.25 + number
        # What is freed here is what the next tensor of this size begins as.
        torch.full((64,), -1.0 - number, device=DEVICE)
        ends = torch.arange(8, 72, 8, dtype=torch.int32, device=DEVICE)
        spread = expand(torch.full((8,), value, device=DEVICE), ends, 64)
        right += spread.tolist() == [value] * 64
    return right


def counts_beside(sampler: Any, logits: torch.Tensor, drafted: list[int]) -> list[list[int]]:
    """How often each token came first at each temperature, where each request has these two drafted tokens."""
    sampling = SimpleNamespace(
        all_greedy=False,
        all_random=True,
        temperature=torch.tensor(TEMPERATURES, device=DEVICE).repeat(NUM_ROWS // len(TEMPERATURES)),
        top_k=None,
        top_p=None,
        generators={},
    )
    ends = torch.arange(2, 2 * NUM_ROWS + 1, 2, dtype=torch.int32, device=DEVICE)
    draft_ids = torch.tensor(drafted * NUM_ROWS, dtype=torch.int32, device=DEVICE)
    bonus_ids = torch.zeros(NUM_ROWS, 1, dtype=torch.int32, device=DEVICE)
    counts = torch.zeros(len(TEMPERATURES), NUM_TOKENS, dtype=torch.int64)
    for _ in range(NUM_RUNS):
        scaled = sampler.apply_sampling_constraints(logits.to(DEVICE).repeat(2 * NUM_ROWS, 1), ends, sampling)
        sampled = sampler.rejection_sample(
            draft_ids, [2] * NUM_ROWS, 2, ends, None, scaled, bonus_ids, sampling
        ).cpu()
        for kind in range(len(TEMPERATURES)):
            counts[kind] += torch.bincount(sampled[kind :: len(TEMPERATURES), 0], minlength=NUM_TOKENS)
    tolist: list[list[int]] = counts.tolist()
    return tolist


if __name__ == "__main__":
    main()
