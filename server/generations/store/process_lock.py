"""Locked files show which processes are alive. The kernel releases a lock however its process ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO


def hold(path: Path) -> IO[bytes]:
    """Create the file; it is locked as long as the returned object is open."""
    # Locked before it has its name, because an unlocked file means that its process is dead.
    unnamed = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    lock = unnamed.open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(path)
    return lock


def is_held(path: Path) -> bool:
    """Whether some process, this one included, holds the lock."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
