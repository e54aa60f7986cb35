"""What vLLM is started with for rollouts; a real one is in tests/e2e."""

import pytest

from steiner.training.config.reinforcement import Rollouts
from steiner.training.rl.engine import engine_arguments

SETTINGS = Rollouts(tensor_parallel=4, gpu_memory=0.3, cpu_cache_gib=0.5, concurrent=64)


@pytest.mark.parametrize("on_cpu", [True, False])
def test_rollouts_are_the_policys_own_on_every_device(on_cpu: bool) -> None:
    arguments = engine_arguments(SETTINGS, on_cpu=on_cpu)
    assert arguments["tensor_parallel_size"] == 4
    assert arguments["max_num_seqs"] == 64
    # Log-probabilities at the temperature that was sampled at, and nothing from generation_config.json.
    assert arguments["logprobs_mode"] == "processed_logprobs"
    assert arguments["generation_config"] == "vllm"


def test_memory_is_shared_on_a_gpu_and_fixed_on_a_cpu() -> None:
    gpu, cpu = (engine_arguments(SETTINGS, on_cpu=on_cpu) for on_cpu in (False, True))
    assert gpu["gpu_memory_utilization"] == 0.3
    assert gpu["enable_sleep_mode"]
    assert gpu["dtype"] == "bfloat16"
    assert "kv_cache_memory_bytes" not in gpu
    assert cpu["kv_cache_memory_bytes"] == 2**29
    assert not cpu["enable_sleep_mode"]
    assert cpu["dtype"] == "float32"
    assert "gpu_memory_utilization" not in cpu


def test_a_seeded_prompt_is_never_prefilled_in_parts_on_a_cpu() -> None:
    gpu, cpu = (engine_arguments(SETTINGS, on_cpu=on_cpu) for on_cpu in (False, True))
    assert cpu["enable_chunked_prefill"] is False
    assert "enable_chunked_prefill" not in gpu
