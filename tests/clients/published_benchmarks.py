"""Made-up questions in the exact columns of the published files of GPQA, MMLU-Pro and MATH-500."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

NUM_QUESTIONS = 5
GPQA_COLUMNS = [
    "Pre-Revision Question", "Pre-Revision Correct Answer", "Question", "Correct Answer", "Incorrect Answer 1",
    "Incorrect Answer 2", "Incorrect Answer 3", "Explanation", "Subdomain", "Record ID", "High-level domain",
]  # fmt: skip


def write_gpqa(path: Path) -> None:
    """As gpqa_diamond.csv of Idavidrein/gpqa: choices in columns, questions of several lines."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, GPQA_COLUMNS)
        writer.writeheader()
        for k in range(NUM_QUESTIONS):
            wrong = {f"Incorrect Answer {j}": f"wrong {k}{j}" for j in (1, 2, 3)}
            row = {
                "Question": f'Which, "of these",\nis right in case {k}?', "Correct Answer": f"right {k}",
                "High-level domain": ["Physics", "Biology"][k % 2], "Record ID": f"rec{k}",
            }  # fmt: skip
            writer.writerow(row | wrong)


def write_mmlu_pro(path: Path) -> None:
    """As data/test-00000-of-00001.parquet of TIGER-Lab/MMLU-Pro: up to ten options in a list."""
    rows = [
        {
            "question_id": 70 + k, "question": f"Which is right in case {k}?",
            "options": [f"wrong {j}" for j in range(k)] + ["right"] + [f"wrong {j}" for j in range(k, 9)],
            "answer": "ABCDEFGHIJ"[k], "answer_index": k, "cot_content": "", "category": ["law", "math"][k % 2],
            "src": "made up",
        }
        for k in range(NUM_QUESTIONS)
    ]  # fmt: skip
    parquet.write_table(pa.Table.from_pylist(rows), path)


def write_math_500(path: Path) -> None:
    """As test.jsonl of HuggingFaceH4/MATH-500."""
    rows = [
        {
            "problem": f"What is half of ${k}$?", "solution": rf"It is $\boxed{{\frac{{{k}}}{{2}}}}$.",
            "answer": rf"\frac{{{k}}}{{2}}", "subject": ["Algebra", "Number Theory"][k % 2], "level": 1 + k,
            "unique_id": f"test/algebra/{k}.json",
        }
        for k in range(1, NUM_QUESTIONS + 1)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_all(folder: Path) -> list[str]:
    """The three files; gives what `--benchmark` takes for them."""
    files = {
        "gpqa-diamond": (folder / "gpqa_diamond.csv", write_gpqa),
        "mmlu-pro": (folder / "test-00000-of-00001.parquet", write_mmlu_pro),
        "math-500": (folder / "test.jsonl", write_math_500),
    }
    for path, write in files.values():
        write(path)
    return [f"{name}={path}" for name, (path, _) in files.items()]
