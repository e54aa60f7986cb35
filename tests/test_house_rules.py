"""The style rules that a machine can check: one test a rule, over every module that is shipped."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("reasoning", "server", "training", "src/steiner", "benchmarks", "scripts")
MODULES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not any(parent.is_symlink() for parent in path.parents)
)

MAX_LINES = 400
MAX_FUNCTION_LINES = 80
#: Modules of the project that one module imports.
MAX_IMPORTS = 18
REFUSED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
#: Borders where any failure has to be turned into an answer.
BROAD_EXCEPT_ALLOWED = 3
MIN_DOCUMENTED = 0.9
#: A package file shorter than this is a crumb of some other thought, unless two modules need it.
MIN_LINES = 60
#: Folders whose files stand beside each other as entries of one list, and single entries of such a list.
REGISTRIES = (
    "reasoning/protocols/",  # PROTOCOLS
    "reasoning/verifiers/",  # VERIFIERS
    "server/api/health.py",  # the routes that create_app includes
    "server/api/metrics.py",
    "server/api/view.py",
    "server/conductor/interventions/",  # interventions_of
    "server/engine/cpu_executor.py",  # vLLM is told its path
    "server/http/head_requests.py",  # a layer that create_app puts around the routes
    "src/steiner/vllm_plugin/register.py",  # the entry point that vLLM calls
    "training/evals/teacher_forced.py",  # former addresses, documented once
    "training/rl/ablation.py",
    "training/random_checkpoint.py",  # run by its name
)
#: Entries at the top of each part, those that Python itself needs not counted.
MOST_ENTRIES = {"server": 12, "training": 15, "reasoning": 19}
PROMISES = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def all_functions() -> Iterator[tuple[str, Function]]:
    """With the place where each begins."""
    for path in MODULES:
        for function in functions(tree_of(path)):
            yield f"{name_of(path)}:{function.lineno} {function.name}", function


def refuse(offenders: Iterable[str]) -> None:
    """Fail with every one of them, a line each."""
    listed = "\n".join(offenders)
    assert not listed, listed


def test_the_modules_are_found() -> None:
    found = {name_of(path).split("/")[0] for path in MODULES}
    assert found >= {"reasoning", "server", "training", "src"}


def test_a_module_is_one_screenful_of_screenfuls() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    refuse(f"{name}: {length}" for name, length in lengths.items() if length > MAX_LINES)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "src" else ("steiner", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(path: Path) -> set[str]:
    """What a module names in its imports: modules, and their attributes that may be modules."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return names


def test_a_small_file_is_needed_twice_or_is_an_entry_of_a_list() -> None:
    package = [path for path in MODULES if not name_of(path).startswith(("benchmarks/", "scripts/"))]
    importers = Counter(name for path in package for name in imported_by(path))
    refuse(
        f"{name_of(path)}: {len(path.read_text().splitlines())} lines, {importers[module_of(path)]} importers"
        for path in package
        if not name_of(path).startswith(REGISTRIES)
        and path.stem not in ("__init__", "__main__")
        and len(path.read_text().splitlines()) < MIN_LINES
        and importers[module_of(path)] < 2
    )


def test_the_top_of_a_part_is_read_at_a_glance() -> None:
    entries = {
        part: sorted(path.name for path in (ROOT / part).iterdir() if not path.name.startswith((".", "__")))
        for part in MOST_ENTRIES
    }
    refuse(f"{part}: {names}" for part, names in entries.items() if len(names) > MOST_ENTRIES[part])


def test_no_module_knows_much_of_the_project() -> None:
    modules = {module_of(path) for path in MODULES if path.stem != "__init__"}
    imports = {name_of(path): len(imported_by(path) & modules) for path in MODULES}
    refuse(f"{name}: {count}" for name, count in imports.items() if count > MAX_IMPORTS)


def test_functions_are_short() -> None:
    lengths = {place: (function.end_lineno or 0) - function.lineno + 1 for place, function in all_functions()}
    refuse(f"{place}: {length}" for place, length in lengths.items() if length > MAX_FUNCTION_LINES)


def test_functions_are_annotated() -> None:
    bare = []
    for place, function in all_functions():
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        named += [star for star in (arguments.vararg, arguments.kwarg) if star is not None]
        missing = [arg.arg for arg in named if arg.annotation is None and arg.arg not in ("self", "cls")]
        if missing or function.returns is None:
            bare.append(f"{place} {missing}")
    refuse(bare)


def test_names_say_something() -> None:
    empty = []
    for path in MODULES:
        words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.split("_")}
        empty += [f"{name_of(path)} {word}" for word in sorted(words & REFUSED_NAMES)]
        empty += [
            f"{name_of(path)}:{node.lineno} {node.name}"
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Helper", "Utils", "Util"))
        ]
    refuse(empty)


def test_nothing_is_left_for_later() -> None:
    promises = {name_of(path): PROMISES.findall(path.read_text()) for path in MODULES}
    refuse(f"{name}: {found}" for name, found in promises.items() if found)


def test_public_things_are_documented() -> None:
    declared = {name for path in MODULES for name in protocol_methods(tree_of(path))}
    documented, bare = 0, []
    for path in MODULES:
        for owner, node in public_definitions(tree_of(path)):
            if ast.get_docstring(node):
                documented += 1
            elif owner is None or node.name not in declared:
                bare.append(f"{name_of(path)}:{node.lineno} {node.name}")
    share = documented / (documented + len(bare))
    assert share >= MIN_DOCUMENTED, f"{share:.0%} documented, missing: {bare}"


def public_definitions(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, Function | ast.ClassDef]]:
    """Top-level functions and classes, and methods with their class, that no underscore hides."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield None, node
            if isinstance(node, ast.ClassDef):
                yield from ((node, child) for child in functions(node) if not child.name.startswith("_"))


def protocol_methods(tree: ast.Module) -> set[str]:
    """Methods that a typing.Protocol declares: what implements them is documented there."""
    bases = {
        node: {ast.unparse(base).split("[")[0] for base in node.bases}
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    return {
        function.name
        for node, names in bases.items()
        if names & {"Protocol", "ABC"}
        for function in functions(node)
    }


def test_broad_excepts_stand_at_borders_only() -> None:
    broad = [
        f"{name_of(path)}:{handler.lineno}"
        for path in MODULES
        for handler in ast.walk(tree_of(path))
        if isinstance(handler, ast.ExceptHandler)
        and (
            handler.type is None
            or (isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException"))
        )
    ]
    assert len(broad) <= BROAD_EXCEPT_ALLOWED, broad


def test_nothing_depends_on_the_machine_it_was_written_on() -> None:
    texts = [
        *MODULES,
        *ROOT.glob("*.md"),
        *ROOT.glob("*.toml"),
        ROOT / "Makefile",
        ROOT / ".ci/run",
        *(path for path in (ROOT / "scripts").iterdir() if not path.suffix),
        *(ROOT / "deploy").rglob("*"),
    ]
    places = [
        f"{name_of(path)}:{number}"
        for path in texts
        if path.is_file()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"/(work|home|root)/", line)
    ]
    refuse(places)
