"""One file: what is written is what is read, under one name, whole."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import DIALOGUES, DRILLS, KINDS, PROBLEMS, TRACES, Kind
from steiner.training.data.shards import (
    ROW_GROUP_RECORDS,
    DataError,
    read_records,
    read_shard,
    shard_metadata,
    shard_path,
    write_shard,
)


def drill(number: int) -> Any:
    text = f"{random.Random(number).random()}"
    named = {"id": f"routes-drill-{number}", "family": "routes", "language": "en", "size": 3}
    return {**named, "prompt": "roads", "text": text}


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_record_read_is_the_record_written(written: Recipe, tmp_path: Path, kind: Kind[Any]) -> None:
    records = list(read_records(written.output / "data", kind))
    assert all(list(record) == kind.schema.names for record in records)
    write_shard(shard_path(tmp_path, kind, 0), kind, records)
    assert list(read_records(tmp_path, kind)) == records


def test_the_file_has_the_schema_of_its_kind_and_the_pinned_encoding(written: Recipe) -> None:
    for kind in KINDS.values():
        path = shard_path(written.output / "data", kind, 0)
        assert pq.read_schema(path).equals(kind.schema)
        stored = pq.read_metadata(path)
        assert stored.created_by == f"parquet-cpp-arrow version {pa.__version__}"
        assert stored.format_version == "2.6"
        columns = [stored.row_group(0).column(index) for index in range(stored.num_columns)]
        assert {column.compression for column in columns} == {"ZSTD"}


def test_more_records_than_a_row_group_are_read_as_a_stream(tmp_path: Path) -> None:
    records = [drill(number) for number in range(2 * ROW_GROUP_RECORDS + 1)]
    path = shard_path(tmp_path, DRILLS, 0)
    assert write_shard(path, DRILLS, iter(records)) == len(records)
    assert pq.read_metadata(path).num_row_groups == 3
    assert list(read_shard(path, DRILLS)) == records


def test_some_fields_alone(written: Recipe) -> None:
    folder = written.output / "data"
    whole = list(read_records(folder, PROBLEMS))
    some = list(read_records(folder, PROBLEMS, fields=("id", "problem")))
    assert list[Any](some) == [{"id": record["id"], "problem": record["problem"]} for record in whole]
    [first, *_] = read_records(folder, TRACES, fields=("steps.list.element.to_depth",))
    assert all(list(step) == ["to_depth"] for step in first["steps"])


def test_metadata_are_kept_in_the_file(tmp_path: Path) -> None:
    path = shard_path(tmp_path, DRILLS, 0)
    write_shard(path, DRILLS, [drill(1)], {"next_candidate": "7"})
    assert shard_metadata(path) == {"next_candidate": "7"}
    write_shard(path, DRILLS, [drill(1)])
    assert shard_metadata(path) == {}


@pytest.mark.parametrize("wrong", [{"speed": 3}, {"text": None}], ids=["one too many", "one too few"])
def test_a_field_that_the_schema_lacks_is_not_dropped_in_silence(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    record = {name: value for name, value in (drill(1) | wrong).items() if value is not None}
    with pytest.raises(ValueError, match=r"drills: a record has .* the schema .*"):
        write_shard(shard_path(tmp_path, DRILLS, 0), DRILLS, [record])
    assert not shard_path(tmp_path, DRILLS, 0).exists()


def test_a_kind_that_was_never_made_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dialogues is missing: `steiner data RECIPE` makes it\."):
        next(read_records(tmp_path, DIALOGUES))
    (tmp_path / "dialogues").mkdir()
    assert list(read_records(tmp_path, DIALOGUES)) == []


def test_a_gap_between_shards_is_an_error(tmp_path: Path) -> None:
    for number in (0, 2):
        write_shard(shard_path(tmp_path, DRILLS, number), DRILLS, [drill(number)])
    with pytest.raises(DataError, match=r"00001\.parquet is missing"):
        list(read_records(tmp_path, DRILLS))


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = shard_path(tmp_path, DRILLS, 0)
    write_shard(path, DRILLS, [drill(1)])
    with pytest.raises(DataError, match=r"00000\.parquet does not hold problems as this version writes them"):
        next(read_shard(path, PROBLEMS))


@pytest.mark.parametrize("content", [b"", b"PAR1 no longer", None], ids=["empty", "other", "half"])
def test_a_file_that_is_no_parquet_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = shard_path(tmp_path, DRILLS, 0)
    write_shard(path, DRILLS, [drill(1)])
    path.write_bytes(path.read_bytes()[:300] if content is None else content)
    with pytest.raises(
        DataError, match=r"00000\.parquet: .* Remove it: `steiner data RECIPE` makes it again"
    ):
        list(read_records(tmp_path, DRILLS))
