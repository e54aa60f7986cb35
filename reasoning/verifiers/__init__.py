"""The verifiers by name."""

from steiner.reasoning.errors import UnknownVerifierError
from steiner.reasoning.tasks import TASKS
from steiner.reasoning.verifiers.arithmetic import ArithmeticVerifier
from steiner.reasoning.verifiers.auto import AutoVerifier
from steiner.reasoning.verifiers.base import Judgement, Verifier
from steiner.reasoning.verifiers.task import TaskVerifier

_TASKS = {name: TaskVerifier(rules) for name, rules in TASKS.items()}
_ARITHMETIC = ArithmeticVerifier()

VERIFIERS: dict[str, Verifier] = {
    "auto": AutoVerifier(tuple(_TASKS.values()), _ARITHMETIC),
    _ARITHMETIC.name: _ARITHMETIC,
    **_TASKS,
}


def find_verifier(name: str) -> Verifier:
    """The verifier of this name.

    Raises:
        UnknownVerifierError: there is none; the message lists the names.
    """
    if name not in VERIFIERS:
        raise UnknownVerifierError(name, tuple(VERIFIERS))
    return VERIFIERS[name]


__all__ = ["VERIFIERS", "Judgement", "Verifier", "find_verifier"]
