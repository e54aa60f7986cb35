"""The page of the examples: their list, and behind it every program as it stands in the repository."""

import json
import re
from pathlib import Path

#: In a notebook, whose own headings go below that of its file.
HEADING = re.compile(r"^(?=#+ )", re.MULTILINE)


def examples_page(listing: Path) -> str:
    """The listing, then each program or notebook of its folder.

    Raises:
        OSError: a file of the folder cannot be read.
    """
    parts = [listing.read_text(encoding="utf-8").rstrip()]
    for path in sorted(listing.parent.iterdir()):
        if path.suffix == ".py":
            parts.append(f"## {path.name}\n\n```python\n{path.read_text(encoding='utf-8')}```")
        elif path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            shown = (
                HEADING.sub("##", "".join(cell["source"]))
                if cell["cell_type"] == "markdown"
                else f"```python\n{''.join(cell['source'])}\n```"
                for cell in cells
            )
            parts.append(f"## {path.name}\n\n" + "\n\n".join(shown))
        elif path.suffix in (".sh", ".yaml"):
            language = {".sh": "bash", ".yaml": "yaml"}[path.suffix]
            parts.append(f"## {path.name}\n\n```{language}\n{path.read_text(encoding='utf-8')}```")
    return "\n\n".join(parts) + "\n"
