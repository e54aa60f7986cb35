"""Where vLLM's one worker on a CPU runs: in the engine's own process, if a single core computes.

vLLM gives it a process of its own, because OpenMP learns its cores from the environment. The two take turns all the
same, and whoever waits polls: on a machine of few cores the front end competes with a process that does nothing.
Where several cores compute, vLLM's way stays: there each thread is bound to a core, which this executor cannot do.
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
            # Threads that OpenMP starts later inherit where this one may run.
            os.sched_setaffinity(0, cores)
            torch.set_num_threads(len(cores))
        super()._init_executor()


def choose_executor(config: VllmConfig, asked: object) -> None:
    """Have one process where it is the better one: a single worker that computes on a single core.

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
    """What vLLM would bind the first worker to; nothing if it is not to bind it."""
    places = OMPProcessManager(config)
    return [] if places.skip_setup else list(places.cpu_lists[0])
