"""The reasoning protocol: its tokens, its automaton, and the grammar, parser and trace derived from it.

Pure Python and pydantic; neither torch nor vllm is needed. What is listed in `__all__` is loaded when it is first asked
for, so that one of its modules costs no more than itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steiner.reasoning.automaton import Allowed, Automaton, State
    from steiner.reasoning.errors import (
        IllegalTokenError,
        MissingTokenError,
        PolicyError,
        SteinerError,
        UnknownVerifierError,
    )
    from steiner.reasoning.events import EVENT_ADAPTER, Event
    from steiner.reasoning.folding import FoldingContext
    from steiner.reasoning.grammar import compile_grammar
    from steiner.reasoning.options import ReasoningOptions
    from steiner.reasoning.parser import Parser
    from steiner.reasoning.policy import Policy
    from steiner.reasoning.protocol import BoundProtocol, Protocol
    from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
    from steiner.reasoning.steps import Backtrack, End, Proceed, Section, Step
    from steiner.reasoning.trace import Trace
    from steiner.reasoning.verifiers import VERIFIERS, Judgement, Verifier, find_verifier

__all__ = [
    "EVENT_ADAPTER",
    "PROTOCOLS",
    "VERIFIERS",
    "Allowed",
    "Automaton",
    "Backtrack",
    "BoundProtocol",
    "End",
    "Event",
    "FoldingContext",
    "IllegalTokenError",
    "Judgement",
    "MissingTokenError",
    "Parser",
    "Policy",
    "PolicyError",
    "Proceed",
    "Protocol",
    "ReasoningOptions",
    "Section",
    "State",
    "SteinerError",
    "Step",
    "Trace",
    "UnknownVerifierError",
    "Verifier",
    "compile_grammar",
    "detect_protocol",
    "find_verifier",
]

_NAMES_OF = {
    "automaton": ("Allowed", "Automaton", "State"),
    "errors": (
        *("IllegalTokenError", "MissingTokenError", "PolicyError"),
        *("SteinerError", "UnknownVerifierError"),
    ),
    "events": ("EVENT_ADAPTER", "Event"),
    "folding": ("FoldingContext",),
    "grammar": ("compile_grammar",),
    "options": ("ReasoningOptions",),
    "parser": ("Parser",),
    "policy": ("Policy",),
    "protocol": ("BoundProtocol", "Protocol"),
    "protocols": ("PROTOCOLS", "detect_protocol"),
    "steps": ("Backtrack", "End", "Proceed", "Section", "Step"),
    "trace": ("Trace",),
    "verifiers": ("VERIFIERS", "Judgement", "Verifier", "find_verifier"),
}
_HOMES = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
