"""What Linux says of a process: CPU time, memory, open files, children (proc(5))."""

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system time of one process with all its threads, without its children."""
    # The command's name stands in parentheses and may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Processes that a process started, and theirs."""
    begun = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [*begun, *(later for child in begun for later in children(child))]


def resident_mib(pid: int) -> float:
    """Resident memory of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def num_open_files(pid: int) -> int:
    """Open file descriptors of one process, sockets included."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
