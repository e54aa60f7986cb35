"""Where vLLM's one worker on a CPU runs: in the engine's own process, if a single core computes.

vLLM gives it its own process, because OpenMP learns its cores from the environment. The two take turns anyway, and the
one that waits polls. On a machine with few cores, the front end then competes with a process that does nothing. Where
several cores compute, vLLM's way stays: it binds each thread to a core, which this executor cannot do.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
from vllm.utils.ompmultiprocessing import OMPProcessManager
from vllm.v1.executor.uniproc_executor import UniProcExecutor

if TYPE_CHECKING:
    from vllm.config import VllmConfig


class OneProcessExecutor(UniProcExecutor):
    """Scheduler and model in one process, on the cores that `VLLM_CPU_OMP_THREADS_BIND` gives to the worker.

    vLLM takes it by its qualified name as `distributed_executor_backend`.
    """

    def _init_executor(self) -> None:
        cores = _cores_of_worker(self.vllm_config)
        if cores:
            # Threads that OpenMP starts later inherit the cores of this one.
            os.sched_setaffinity(0, cores)
            torch.set_num_threads(len(cores))
        super()._init_executor()


def choose_executor(config: VllmConfig, asked: object) -> None:
    """Choose one process where that is better: a single worker that computes on a single core.

    Args:
        config: a configuration for CPUs; changed in place.
        asked: the executor that the user asked for, which stays; None for vLLM's choice.
    """
    if (
        asked is None
        and config.parallel_config.world_size_across_dp == 1
        and len(_cores_of_worker(config)) == 1
    ):
        config.parallel_config.distributed_executor_backend = OneProcessExecutor


def _cores_of_worker(config: VllmConfig) -> list[int]:
    """The cores that vLLM would bind the first worker to; nothing if it would not bind it."""
    places = OMPProcessManager(config)
    return [] if places.skip_setup else list(places.cpu_lists[0])
