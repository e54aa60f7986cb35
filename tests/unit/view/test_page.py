"""The page and its parts: small modules that point one way, no way to make markup of text, one file that holds all."""

import base64
import hashlib
import json
import re

import pytest

from steiner.reasoning.trace import Trace
from steiner.view import page
from steiner.view.page import ASSETS, FOLDER, IMPORT, joined_modules, live_page, page_of, standalone_page

MODULES = sorted(name for name in ASSETS if name.endswith(".js"))
SINKS = re.compile(
    r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser"
)
ADDRESS = re.compile(r"https?://(?!www\.w3\.org/)")


def test_modules_are_small_say_what_they_are_and_make_no_markup() -> None:
    sources = {name: (FOLDER / name).read_text(encoding="utf-8") for name in MODULES}
    assert sources
    offenders = []
    for name, source in sources.items():
        offenders += [] if source.startswith("// ") else [f"{name} does not begin by saying what it is"]
        offenders += [] if len(source.splitlines()) <= 400 else [f"{name} is too long"]
        offenders += [f"{name} has {found}" for found in SINKS.findall(source) + ADDRESS.findall(source)]
    assert not offenders, "\n".join(offenders)


def test_every_module_is_reached_and_joined_once_behind_those_it_imports() -> None:
    joined = joined_modules()
    for name in MODULES:
        scope = f"const in_{name.removesuffix('.js')} = "
        assert joined.count(scope) == 1
        for imported in IMPORT.finditer((FOLDER / name).read_text(encoding="utf-8")):
            assert joined.index(f"const in_{imported['name']} = ") < joined.index(scope)
    assert not re.search(r"^(?:import|export) ", joined, re.MULTILINE)


def test_modules_that_import_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"main.js": 'import { a } from "./a.js";\n', "a.js": 'import { b } from "./main.js";\n'}
    monkeypatch.setattr(page, "_text", texts.__getitem__)
    with pytest.raises(ValueError, match="main -> a -> main"):
        joined_modules()


def test_the_live_page_has_relative_addresses_only() -> None:
    for root in ("./", "../"):
        addresses = re.findall(r'(?:src|href)="([^"#]+)"', live_page(root))
        assert [address for address in addresses if not address.startswith((root, "data:"))] == []


def test_the_policy_of_the_one_file_names_what_is_in_it() -> None:
    text = standalone_page()
    for tag, opening in (("script", '<script type="module">'), ("style", "<style>")):
        content = text.split(opening)[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text
    assert "unsafe" not in text.split("<style>")[0]


def test_a_trace_in_the_one_file_cannot_leave_its_place() -> None:
    trace = Trace(protocol="steiner", answer="</script><script>alert(1)</script><!--", problem="1 < 2")
    text = page_of(trace)
    # The page's own script, which stands behind it, knows the words, too.
    [data, *_] = re.findall(r'<script type="application/json" id="saved">(.*?)</script>', text, re.DOTALL)
    assert "<" not in data
    assert json.loads(data)["trace"]["answer"] == trace.answer
    assert json.loads(data)["problem"] == "1 < 2"
    assert len(text) - len(data) == len(standalone_page())
