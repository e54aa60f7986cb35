"""The page of the live view, as a server sends it and as one file that holds a trace.

A server sends the modules as they are. The single file has them joined in one script, because a page opened from a disk
may not load modules. The script is checked by its hash, and nothing else may run in the page.
"""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

from steiner.reasoning.trace import Trace

FOLDER = Path(__file__).parent
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
ASSETS = frozenset(path.name for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)
STANDALONE = "standalone.html"
ENTRY = "main.js"
IMPORT = re.compile(r'^import (?P<what>\{[^}]*\}) from "\./(?P<name>[a-z_]+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (?P<name>\w+))", re.MULTILINE)
SAVED = '<script type="application/json" id="saved"></script>'
"""The element for the trace in the single file; scripts of this type are data."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Content-Security-Policy of the page. No markup is ever made from text, so Trusted Types need no policy."""


def live_page(root: str) -> str:
    """The page of a server.

    Args:
        root: relative address of the server's root from the page's own: "./" or "../".
    """
    assets = f"{root}view/assets/"
    head = (
        f'<link rel="icon" href="{_icon()}">\n<link rel="stylesheet" href="{assets}view.css">\n'
        f'<script type="module" src="{assets}{ENTRY}"></script>'
    )
    return _filled(head, root)


@cache
def standalone_page() -> str:
    """The page as one file, still without a trace; the same on every call."""
    style, script = f"\n{_text('view.css')}", f"\n{joined_modules()}"
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<link rel="icon" href="{_icon()}">\n<style>{style}</style>\n{SAVED}\n<script type="module">{script}</script>'
    )
    return _filled(head, "")


def page_of(trace: Trace, problem: str = "") -> str:
    """One file that shows this trace: a tree to walk through, without a server or a network."""
    saved = {"problem": problem or trace.problem, "trace": trace.model_dump(mode="json")}
    # Nothing in the trace may end the element that holds it.
    text = json.dumps(saved, ensure_ascii=False).replace("<", "\\u003c")
    return standalone_page().replace(SAVED, SAVED.replace("></", f">{text}</"))


def joined_modules() -> str:
    """All modules as one script: each in its own scope, after the ones that it imports.

    Raises:
        ValueError: modules that import each other.
    """
    order: list[str] = []
    _visit(ENTRY.removesuffix(".js"), order, ())
    return "".join(map(_scoped, order))


def _visit(name: str, order: list[str], path: tuple[str, ...]) -> None:
    if name in path:
        raise ValueError(f"modules import each other: {' -> '.join([*path, name])}")
    if name in order:
        return
    for found in IMPORT.finditer(_text(f"{name}.js")):
        _visit(found["name"], order, (*path, name))
    order.append(name)


def _scoped(name: str) -> str:
    source = _text(f"{name}.js")
    exported = ", ".join(found["name"] for found in EXPORT.finditer(source))
    body = EXPORT.sub("", IMPORT.sub(r"const \g<what> = in_\g<name>;", source))
    return f"const in_{name} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _icon() -> str:
    # By address, the browser would ask for it again, and wrongly, when the page changes its own address.
    return "data:image/svg+xml;base64," + base64.b64encode(_text("icon.svg").encode()).decode()


def _filled(head: str, root: str) -> str:
    return _text("index.html").replace("<!-- head -->", head).replace("<!-- root -->", root)


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
