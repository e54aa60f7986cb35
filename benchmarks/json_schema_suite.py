"""The JSON Schema Test Suite: what the server's compiler keeps of it, beside xgrammar and llguidance's own compiler.

    git clone https://github.com/json-schema-org/JSON-Schema-Test-Suite
    python benchmarks/json_schema_suite.py JSON-Schema-Test-Suite [--draft draft2020-12] [--only ours] [--json FILE]

Every schema of the suite is compiled by each. Where it is taken, the suite's instances are fed to the grammar byte by
byte, once as compact JSON and once with a space behind commas and colons, members in the order of the instance. An
invalid instance that is taken is a promise broken; a valid one that is not is only a text that cannot be written.
Optional tests are counted apart: those of formats ask for more than the standard does.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import xgrammar
from grammar_walks import ByteGrammar
from llguidance import LLMatcher

from steiner.server.intake.json_schema.document import SchemaRefusal

END = 256


class Grammar(Protocol):
    """Tells whether a text may be a whole answer."""

    def takes(self, text: str) -> bool:
        """Whether it may."""


class XGrammar:
    """xgrammar's compiler, over the bytes."""

    _compiler: xgrammar.GrammarCompiler | None = None

    def __init__(self, schema: Any) -> None:
        if XGrammar._compiler is None:
            vocabulary = [bytes([byte]) for byte in range(END)] + [b"<end>"]
            info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[END])
            XGrammar._compiler = xgrammar.GrammarCompiler(info, cache_enabled=False, max_threads=1)
        # As the server had it: white space as the model likes, and members that the schema does not name.
        self._grammar = XGrammar._compiler.compile_json_schema(json.dumps(schema), strict_mode=False)

    def takes(self, text: str) -> bool:
        """Whether a text may be a whole answer."""
        matcher = xgrammar.GrammarMatcher(self._grammar)
        return bool(matcher.accept_string(text) and matcher.is_completed())


def of_llguidance(schema: Any) -> ByteGrammar:
    """llguidance's compiler of schemas, over the bytes."""
    return ByteGrammar.of_llguidance(
        LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults={"whitespace_flexible": True})
    )


COMPILERS: dict[str, Callable[[Any], Grammar]] = {
    "ours": ByteGrammar.of_schema,
    "llguidance": of_llguidance,
    "xgrammar": XGrammar,
}


def try_case(case: dict[str, Any], compiler: Callable[[Any], Grammar], counts: Counter[str]) -> list[str]:
    """One schema and its instances; the broken promises."""
    counts["schemas"] += 1
    try:
        grammar = compiler(case["schema"])
    except SchemaRefusal as refusal:
        counts["refused"] += 1
        counts[f"refused: {str(refusal).partition(' at ')[0]}"] += 1
        return []
    except (RuntimeError, ValueError):
        counts["refused"] += 1
        return []
    broken = []
    for test in case["tests"]:
        texts = (
            json.dumps(test["data"], ensure_ascii=False, separators=(",", ":")),
            json.dumps(test["data"], ensure_ascii=False),
        )
        taken = any(grammar.takes(text) for text in texts)
        counts["valid" if test["valid"] else "invalid"] += 1
        counts["valid, taken"] += taken and test["valid"]
        counts["invalid, taken"] += taken and not test["valid"]
        if taken and not test["valid"]:
            broken.append(f"{case['description']} / {test['description']}: {texts[0][:100]}")
    return broken


def cases_of(folder: Path, draft: str) -> dict[str, list[dict[str, Any]]]:
    """Schemas with their instances, by the file that they are in."""
    root = folder / "tests" / draft
    return {
        str(path.relative_to(root).with_suffix("")): json.loads(path.read_text())
        for path in sorted(root.rglob("*.json"))
    }


def main() -> int:
    """Print a line for each file and compiler, and every promise broken by ours."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suite", type=Path, help="a checkout")
    parser.add_argument("--draft", default="draft2020-12")
    parser.add_argument("--only", choices=COMPILERS)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    by_file: dict[str, dict[str, Counter[str]]] = {}
    num_broken = 0
    for file, cases in cases_of(options.suite, options.draft).items():
        by_file[file] = {}
        for name, compiler in COMPILERS.items():
            if options.only not in (None, name):
                continue
            counts = by_file[file][name] = Counter()
            broken = [line for case in cases for line in try_case(case, compiler, counts)]
            part = "optional" if file.startswith("optional") else "required"
            totals[f"{name}, {part}"] += counts
            print(f"{file:45} {name:10} {line_of(counts)}", flush=True)
            if name == "ours":
                num_broken += len(broken)
                print(*(f"    BROKEN {line}" for line in broken), sep="\n", end="\n" if broken else "")
    for name, counts in totals.items():
        print(f"{name:56} {line_of(counts)}")
        print("   ", {key: value for key, value in counts.most_common() if key.startswith("refused: ")})
    if options.json is not None:
        options.json.write_text(json.dumps({"totals": totals, "files": by_file}, indent=2) + "\n")
    return bool(num_broken)


def line_of(counts: Counter[str]) -> str:
    """The figures of some schemas."""
    return (
        f"{counts['schemas'] - counts['refused']:4} of {counts['schemas']:4} schemas taken, "
        f"{counts['invalid, taken']:3} of {counts['invalid']:4} invalid and "
        f"{counts['valid, taken']:4} of {counts['valid']:4} valid instances taken"
    )


if __name__ == "__main__":
    raise SystemExit(main())
