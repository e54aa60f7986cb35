"""Locked files that tell which processes live; the kernel lets go of a lock however its process ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO


def hold(path: Path) -> IO[bytes]:
    """Make the file, locked as long as what is returned is open."""
    # Locked before it has its name: whoever finds it unlocked takes its process for dead.
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
