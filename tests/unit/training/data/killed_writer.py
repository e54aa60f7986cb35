"""Write data as `write_data` does, and be killed: python killed_writer.py RECIPE_JSON WORKERS WHERE NUMBER.

WHERE is what is counted, and at NUMBER of it the process that counts is gone, without any farewell: `shard`, in the
parent behind a shard; `group`, inside a shard, in whichever process writes it.
"""

import os
import signal
import sys
from typing import Any

import pyarrow.parquet as pq
from rich.progress import Progress

from steiner.training.config.recipe import Recipe
from steiner.training.data.writing import write_data

SHARD_RECORDS = 50


def killed_at(function: Any, number: int) -> Any:
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return counted


where, killing_number = sys.argv[3], int(sys.argv[4])
# Workers import this file, too: what is patched here is patched there.
in_worker = __name__ == "__mp_main__"
if where == "shard" and not in_worker:
    Progress.advance = killed_at(Progress.advance, killing_number)  # type: ignore[method-assign]
elif where == "group" and (sys.argv[2] == "1" or in_worker):
    pq.ParquetWriter.write_table = killed_at(pq.ParquetWriter.write_table, killing_number)

if __name__ == "__main__":
    write_data(Recipe.model_validate_json(sys.argv[1]), int(sys.argv[2]), SHARD_RECORDS)
