"""What `make docs` adds to the pages of docs/: the reference, made from the code, and documents from elsewhere.

A hook of ProperDocs (https://properdocs.org). Nothing it makes is written into docs/, so nothing can go stale.
"""

import posixpath
import re
from pathlib import Path

from command_pages import command_page, settings_page
from example_pages import examples_page
from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files
from properdocs.structure.pages import Page
from rest_pages import rest_page

ROOT = Path(__file__).resolve().parents[2]

#: Documents outside docs/ that are pages of the site, with their addresses there.
FROM_ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/README.md": "examples.md",
    "models/steiner-tiny/README.md": "models/steiner-tiny.md",
    "models/steiner-tiny/eval/budgets.svg": "models/eval/budgets.svg",
    "models/steiner-tiny/eval/best-of.svg": "models/eval/best-of.svg",
}
MADE = {
    "reference/cli.md": command_page,
    "reference/settings.md": settings_page,
    "reference/rest.md": rest_page,
}
ADDRESS_OF = FROM_ELSEWHERE | {"examples": "examples.md", "docs/decisions": "decisions/index.md"}
SOURCE_OF = {address: source for source, address in FROM_ELSEWHERE.items()}
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
ELSEWHERE = ("http://", "https://", "mailto:", "/")


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for address, make in MADE.items():
        files.append(File.generated(config, address, content=make()))
    for source, address in FROM_ELSEWHERE.items():
        path = ROOT / source
        if source == "examples/README.md":
            content: str | bytes = examples_page(path)
        elif path.suffix == ".md":
            # A model card begins with what the hub reads.
            content = FRONT_MATTER.sub("", path.read_text(encoding="utf-8"))
        else:
            content = path.read_bytes()
        files.append(File.generated(config, address, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Links between files of the repository become links between pages; to sources they become text."""
    source = SOURCE_OF.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return LINK.sub(lambda link: _on_the_site(link, source, page.file.src_uri), markdown)


def _on_the_site(link: re.Match[str], source: str, address: str) -> str:
    target = link["target"]
    if target.startswith(ELSEWHERE) or address in MADE:
        return link[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    found = ADDRESS_OF.get(path)
    if found is None and path.startswith("examples/") and (ROOT / path).is_file():
        # Every program is a part of one page, below its name.
        part = path.removeprefix("examples/").replace(".", "")
        return f"[{link['text']}]({_relative('examples.md', address)}#{part})"
    if found is None and path.startswith("docs/") and (ROOT / path).is_file():
        found = path.removeprefix("docs/")
    if found is not None:
        return f"{link['image']}[{link['text']}]({_relative(found, address)}{link['anchor'] or ''})"
    if (ROOT / path).exists():
        return link["text"]
    # Broken: left for the strict build to refuse.
    return link[0]


def _relative(target: str, address: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(address) or ".")
