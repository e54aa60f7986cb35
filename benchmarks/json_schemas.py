"""Whether schemas are kept: random ones, each enforced without exception or refused where it says.

    python benchmarks/json_schemas.py [--schemas 10000] [--walks 20] [--seed 1] [--json FILE]

Half of the schemas are instances of their own metaschema, made by what schemathesis makes requests with; half are
mixtures of keywords. A schema that the server enforces is tried with random walks through its grammar; each answer must
be valid for the package jsonschema. One that is refused must be refused at a keyword that it has. Both kinds of failure
are printed with the schema, and make the exit status 1.

The refusals are counted by their keyword, and by whether a value fits the schema at all as far as is seen.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grammar_walks import ByteGrammar
from jsonschema import Draft202012Validator
from random_schemas import Mixture, Schema, of_the_metaschema

from steiner.server.intake.json_schema.document import SchemaRefusal

#: Of schemas that hypothesis draws at once: it keeps what it drew.
PORTION = 500


@dataclass
class Tally:
    """What became of schemas.

    Attributes:
        num_refused: by the keyword that a refusal names.
        num_impossible: refusals that say that no value fits.
        num_unended: enforced schemas none of whose walks came to an end in time.
        compile_s: of every schema.
    """

    num_schemas: int = 0
    num_enforced: int = 0
    num_walks: int = 0
    num_unended: int = 0
    num_impossible: int = 0
    num_refused: Counter[str] = field(default_factory=Counter)
    compile_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        ordered = sorted(self.compile_s)
        return {
            "schemas": self.num_schemas,
            "enforced": self.num_enforced,
            "refused": sum(self.num_refused.values()),
            "of these, no value fits": self.num_impossible,
            "walks": self.num_walks,
            "schemas without a walk that ended": self.num_unended,
            "compile ms, median": round(ordered[len(ordered) // 2] * 1e3, 2),
            "compile ms, 99th percentile": round(ordered[len(ordered) * 99 // 100] * 1e3, 2),
            "compile ms, most": round(ordered[-1] * 1e3, 2),
            "refused by keyword": dict(self.num_refused.most_common()),
            "failures": len(self.failures),
        }


def try_schema(schema: Schema, num_walks: int, draw: random.Random, tally: Tally) -> None:
    """Compile one and walk through it; what is wrong goes into the tally."""
    tally.num_schemas += 1
    started = time.perf_counter()
    try:
        grammar = ByteGrammar.of_schema(schema)
    except SchemaRefusal as refusal:
        tally.compile_s.append(time.perf_counter() - started)
        fault = fault_of_refusal(schema, refusal)
        tally.num_refused[keyword_of(refusal)] += 1
        tally.num_impossible += "no value" in refusal.reason
        if fault is not None:
            tally.failures.append(f"{fault}: {json.dumps(schema)}")
        return
    tally.compile_s.append(time.perf_counter() - started)
    tally.num_enforced += 1
    validator, num_ended = Draft202012Validator(schema), 0
    for _ in range(num_walks):
        try:
            text = grammar.walk(draw)
        except AssertionError as error:
            tally.failures.append(f"{error}: {json.dumps(schema)}")
            return
        if text is None:
            continue
        num_ended += 1
        violation = next(validator.iter_errors(json.loads(text)), None)
        if violation is not None:
            tally.failures.append(f"{text!r} breaks {violation.message[:100]}: {json.dumps(schema)}")
            return
    tally.num_walks += num_ended
    tally.num_unended += not num_ended


def keyword_of(refusal: SchemaRefusal) -> str:
    """What a refusal names first."""
    return str(refusal).partition(" at ")[0] if refusal.pointer else "(the whole)"


def fault_of_refusal(schema: Schema, refusal: SchemaRefusal) -> str | None:
    """What is wrong with a refusal; None where it points to a part of the schema."""
    part: Any = schema
    if not refusal.pointer and schema is not False:
        return f"a refusal without a place ({refusal})"
    for step in refusal.pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            part = part[int(name)] if isinstance(part, list) else part[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return f"{refusal.pointer!r} is no part of it ({refusal})"
    return None


def schemas(number: int, seed: int) -> Iterable[Schema]:
    """Half by the metaschema and half mixtures, in turn."""
    for start in range(0, number, 2 * PORTION):
        size = min(2 * PORTION, number - start)
        yield from of_the_metaschema(size - size // 2, seed + start)
        yield from (Mixture(random.Random(f"{seed} {start} {index}")).schema() for index in range(size // 2))


def main() -> int:
    """Try schemas and print what became of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schemas", type=int, default=10_000)
    parser.add_argument("--walks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    tally, draw = Tally(), random.Random(options.seed)
    for schema in schemas(options.schemas, options.seed):
        known = len(tally.failures)
        try_schema(schema, options.walks, draw, tally)
        for failure in tally.failures[known:]:
            print(failure, flush=True)
        if tally.num_schemas % 1000 == 0:
            print(f"{tally.num_schemas} schemas, {tally.num_enforced} enforced", file=sys.stderr, flush=True)
    figures = json.dumps(tally.as_json(), indent=2)
    print(figures)
    if options.json is not None:
        options.json.write_text(figures + "\n")
    return bool(tally.failures)


if __name__ == "__main__":
    raise SystemExit(main())
