"""What a run with a teacher wrote: its settings, counts, cost, versions and the hash of every shard."""

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Generic

from steiner.training.config.files import PARTIAL, write_whole
from steiner.training.data.kinds import DAGS, TRACES, Kind, Record
from steiner.training.data.manifest import MANIFEST, describe_kind
from steiner.training.data.shards import SHARD_RECORDS, shard_path, write_shard
from steiner.training.teacher.config import TeachConfig
from steiner.training.teacher.records import Summary

PACKAGES = ("steiner", "openai", "pyarrow", "scikit-learn", "sentence-transformers")


class ShardWriter(Generic[Record]):
    """Writes the shards of a kind in place of those that were there, as records come."""

    def __init__(self, folder: Path, kind: Kind[Record]) -> None:
        self._folder = folder
        self._kind = kind
        self._waiting: list[Record] = []
        self._written: set[Path] = set()
        (folder / kind.name).mkdir(parents=True, exist_ok=True)

    def add(self, records: Sequence[Record]) -> None:
        """Take records, and write them when they fill a shard."""
        self._waiting += records
        while len(self._waiting) >= SHARD_RECORDS:
            self._write()

    def close(self) -> None:
        """Write the last shard, and remove what an earlier run left behind it."""
        if self._waiting:
            self._write()
        there = self._folder / self._kind.name
        for path in [*there.glob("*.parquet"), *there.glob(f"*{PARTIAL}")]:
            if path not in self._written:
                path.unlink()

    def _write(self) -> None:
        path = shard_path(self._folder, self._kind, len(self._written))
        write_shard(path, self._kind, self._waiting[:SHARD_RECORDS])
        del self._waiting[:SHARD_RECORDS]
        self._written.add(path)


def write_manifest(config: TeachConfig, folder: Path, summary: Summary) -> None:
    """Written last, so that data with a manifest are whole."""
    manifest = {
        "config": config.model_dump(mode="json", exclude={"output"}),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "summary": asdict(summary),
        "kinds": {kind.name: describe_kind(folder, kind) for kind in (DAGS, TRACES)},
    }
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
