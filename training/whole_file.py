"""Small text files that are there whole or not at all, whenever the process is killed."""

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write under another name, then rename."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
