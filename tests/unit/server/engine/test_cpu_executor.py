"""One process for the engine only where a single worker computes on a single core, and nobody asked for another."""

import pytest
from vllm.config import ParallelConfig, VllmConfig
from vllm.envs import disable_envs_cache
from vllm.v1.executor.abstract import Executor

from steiner.server.engine.cpu_executor import OneProcessExecutor, choose_executor


def chosen(
    monkeypatch: pytest.MonkeyPatch, cores: str, asked: str | None = None, **parallel: int
) -> type[Executor]:
    # An engine that ran in this process has vLLM remember the environment.
    disable_envs_cache()
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", cores)
    config = VllmConfig(parallel_config=ParallelConfig(distributed_executor_backend=asked, **parallel))
    choose_executor(config, asked)
    return Executor.get_class(config)


def test_one_core_has_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, "1") is OneProcessExecutor


@pytest.mark.parametrize(
    ("cores", "asked", "parallel"),
    [
        ("0-1", None, {}),
        ("nobind", None, {}),
        ("0", "mp", {}),
        ("0|1", None, {"tensor_parallel_size": 2}),
        ("0|1", None, {"data_parallel_size": 2}),
    ],
)
def test_everything_else_is_left_to_vllm(
    monkeypatch: pytest.MonkeyPatch, cores: str, asked: str | None, parallel: dict[str, int]
) -> None:
    assert chosen(monkeypatch, cores, asked, **parallel) is not OneProcessExecutor
