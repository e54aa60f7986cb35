"""The client in a real Jupyter kernel, whose event loop runs while a cell does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
from nbclient import NotebookClient

from .documented import blocks


def run(*cells: str) -> list[list[Any]]:
    """The outputs of each cell."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def is_picture_of(output: Any, answer: str) -> bool:
    picture = ElementTree.fromstring(output.data["image/svg+xml"])
    return picture.tag == "{http://www.w3.org/2000/svg}svg" and answer in "".join(picture.itertext())


def test_the_documented_program_and_its_trace(stage: Any, serve: Any, tmp_path: Path) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    [program] = blocks("Python", "python")
    saved = tmp_path / "trace.json"
    outputs = run(
        program.replace("http://127.0.0.1:8000", served.url),
        "trace",
        "[event.type async for event in client.stream_async('make 22 from 15 4 11')][-1]",
        f"from steiner.saved_trace import read_saved_trace\n"
        f"with open({str(saved)!r}, 'w') as file:\n"
        f"    _ = file.write(trace.model_dump_json())\n"
        f"read_saved_trace({str(saved)!r})",
    )
    [said], [shown], [last], [shown_again] = outputs
    assert said.text == "1 verified \n2 refuted \n3 verified \nmake 22 [0, 1, 1]\n"
    assert is_picture_of(shown, "make 22")
    assert last.data["text/plain"] == "'done'"
    assert shown_again.data["image/svg+xml"] == shown.data["image/svg+xml"]
