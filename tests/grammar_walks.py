"""The benchmark's walks through grammars, for tests; benchmarks/ holds scripts and no package."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.grammar_walks import ByteGrammar
else:
    _path = Path(__file__).resolve().parents[1] / "benchmarks" / "grammar_walks.py"
    _spec = importlib.util.spec_from_file_location("grammar_walks", _path)
    _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    ByteGrammar = _module.ByteGrammar

__all__ = ["ByteGrammar"]
