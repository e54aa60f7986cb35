"""Published formats are known by their columns, and what is not one of them is said before anything is asked."""

import csv
from pathlib import Path

import pytest

from steiner.training.evals.benchmarks import BENCHMARKS, BenchmarkError, read_benchmark


def gpqa(path: Path, *columns: str) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerow(["a question,\nof two lines"] * len(columns))
    return path


def test_a_file_of_the_published_columns_becomes_a_task(tmp_path: Path) -> None:
    benchmark = BENCHMARKS["gpqa-diamond"]
    path = gpqa(tmp_path / "gpqa diamond.csv", "Record ID", *benchmark.columns, "Explanation")
    file = read_benchmark(f"gpqa-diamond={path}")
    assert (file.benchmark, file.path) == (benchmark, path)
    task = file.task_yaml()
    assert "dataset_path: csv\n" in task
    assert f"data_files: {{train: '{path}'}}" in task
    [included] = [line for line in task.splitlines() if line.startswith("include: ")]
    assert Path(included.removeprefix("include: ")).is_file()


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_the_harness_has_every_task(name: str, tmp_path: Path) -> None:
    columns = ",".join(BENCHMARKS[name].columns)
    path = tmp_path / "data.csv"
    path.write_text(f"{columns}\n{columns}\n")
    included = read_benchmark(f"{name}={path}").task_yaml().splitlines()[0].removeprefix("include: ")
    assert Path(included).is_file()


@pytest.mark.parametrize("given", ["gpqa-diamond", "gpqa=x.csv", "=x.csv", ""])
def test_an_unknown_name_lists_the_known_ones(given: str) -> None:
    with pytest.raises(BenchmarkError, match="NAME=FILE with a name of gpqa-diamond, mmlu-pro, math-500"):
        read_benchmark(given)


def test_another_format_is_refused_by_what_is_published(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"published as HuggingFaceH4/MATH-500, test\.jsonl"):
        read_benchmark("math-500=test.zip")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        read_benchmark(f"math-500={tmp_path}/test.jsonl")
    path = gpqa(tmp_path / "gpqa.csv", "Question", "Correct Answer")
    with pytest.raises(BenchmarkError, match="has no column 'Incorrect Answer 1'"):
        read_benchmark(f"gpqa-diamond={path}")
    (tmp_path / "broken.parquet").write_text("not parquet")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        read_benchmark(f"mmlu-pro={tmp_path}/broken.parquet")
