"""Parquet shards: written whole or not at all, the same bytes for the same records, read as a stream."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from steiner.reasoning.errors import SteinerError
from steiner.training.config.files import whole_file
from steiner.training.data.kinds import Kind, Record

Item = TypeVar("Item")

SHARD_RECORDS = 2_000
ROW_GROUP_RECORDS = 500
"""Records held in memory at a time, by a writer or a reader."""


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last perhaps shorter; like `itertools.batched`, which Python 3.11 lacks."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch


class DataError(SteinerError):
    """The recipe asks for data that cannot be made, or existing data cannot be used; the message says why."""


def shard_path(folder: Path, kind: Kind[Any], number: int) -> Path:
    """The path of a shard in the data folder."""
    return folder / kind.name / f"{number:05}.parquet"


def shard_paths(folder: Path, kind: Kind[Any]) -> list[Path]:
    """The existing shards of a kind, in order.

    Raises:
        DataError: there are none, or one is missing between others.
    """
    if not (folder / kind.name).is_dir():
        raise DataError(f"{folder / kind.name} is missing: `steiner data RECIPE` makes it.")
    paths = sorted((folder / kind.name).glob("*.parquet"))
    for number, path in enumerate(paths):
        if path != (expected := shard_path(folder, kind, number)):
            raise DataError(f"{expected} is missing: `steiner data RECIPE` makes it again.")
    return paths


def write_shard(
    path: Path,
    kind: Kind[Record],
    records: Iterable[Record],
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write one file; returns how many records it has.

    The file gets its name once every byte is on the disk. Everything that decides the bytes is set here, except for the
    version of the Parquet library, which the library writes into each file.

    Args:
        metadata: kept in the file with the schema.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = kind.schema.with_metadata(metadata) if metadata else kind.schema
    num_records = 0
    with (
        whole_file(path) as partial,
        partial.open("wb") as file,
        pq.ParquetWriter(
            file,
            schema,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
        ) as writer,
    ):
        for group in in_batches(records, ROW_GROUP_RECORDS):
            writer.write_table(_table(group, kind, schema))
            num_records += len(group)
    return num_records


def read_records(folder: Path, kind: Kind[Record], fields: Sequence[str] | None = None) -> Iterator[Record]:
    """The records of a kind, in order, with one row group in memory at a time.

    Args:
        folder: the data folder of a run.
        fields: read only these; the records lack the rest.

    Raises:
        DataError: the kind was not made, or a shard is missing or is not a file of this kind.
    """
    for path in shard_paths(folder, kind):
        yield from read_shard(path, kind, fields)


def read_shard(path: Path, kind: Kind[Record], fields: Sequence[str] | None = None) -> Iterator[Record]:
    """The records of one file, in order.

    Raises:
        DataError: it is not a Parquet file, or has another schema.
    """
    names = kind.schema.names if fields is None else list(fields)
    texts = [name for name in kind.json_fields if name in names]
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(kind.schema):
                raise DataError(
                    f"{path} does not hold {kind.name} as this version writes them. Remove {path.parent}: "
                    "`steiner data RECIPE` makes it again."
                )
            for batch in file.iter_batches(ROW_GROUP_RECORDS, columns=names):
                for record in batch.to_pylist():
                    for name in texts:
                        record[name] = json.loads(record[name])
                    yield record
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: {error}. Remove it: `steiner data RECIPE` makes it again.") from error


def shard_metadata(path: Path) -> dict[str, str]:
    """The metadata that `write_shard` was given."""
    stored = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items()}


def _table(records: Sequence[Record], kind: Kind[Record], schema: pa.Schema) -> pa.Table:
    names = set(schema.names)
    for record in records:
        # Arrow would drop unknown fields, and fill in missing ones.
        if record.keys() != names:
            raise ValueError(f"{kind.name}: a record has {sorted(record)}, the schema {sorted(names)}.")
    rows: Sequence[Mapping[str, Any]] = records
    if kind.json_fields:
        rows = [
            {**record, **{name: json.dumps(record[name], separators=(",", ":")) for name in kind.json_fields}}
            for record in rows
        ]
    return pa.Table.from_pylist(rows, schema=schema)
