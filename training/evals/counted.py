"""How far an evaluation is: a bar on a terminal, and a line at every tenth where the output goes elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

PARTS = 10


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Yields what is to be called as each of `total` is done."""
    console = Console()
    if console.is_terminal:
        with Progress(console=console) as progress:
            bar = progress.add_task(f"{what:20}", total=total)
            yield lambda: progress.advance(bar)
        return
    begin_s, done = time.monotonic(), 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * PARTS // total > (done - 1) * PARTS // total:
            console.print(
                f"{what}: {done} of {total} after {time.monotonic() - begin_s:.0f} s", soft_wrap=True
            )

    yield advance
