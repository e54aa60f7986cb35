"""The processes of a run: one alone, or as many as `torchrun` started, one for each GPU."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import torch
import torch.distributed as dist
from accelerate import PartialState

PATIENCE = timedelta(days=7)
"""How long the others wait while one process works alone; NCCL's own limit of minutes ends a hanging step."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Attributes:
    rank: number of this process, from 0.
    count: how many there are.
    waiting: the group in which they wait for each other; None for one alone.
    """

    rank: int
    count: int
    waiting: dist.ProcessGroup | None

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes files and messages."""
        return self.rank == 0

    def on_main(self, work: Callable[[], object]) -> None:
        """Let the main process do something; all processes go on when it is done."""
        if self.is_main:
            work()
        self.wait()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.waiting is not None:
            dist.monitored_barrier(self.waiting, timeout=PATIENCE)


@cache
def processes() -> Processes:
    """The processes of this run. If there are several, the first call in each connects them."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(0, 1, None)
    state = PartialState(cpu=not torch.cuda.is_available())
    waiting = dist.new_group(backend="gloo", timeout=PATIENCE)
    return Processes(state.process_index, state.num_processes, waiting)
