"""Refutes a step whose equations are wrong, in free text; a right equation proves nothing about a step."""

import re
from functools import lru_cache

from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement
from steiner.reasoning.verifiers.equations import false_equation, may_mean_other_signs

MAX_TEXT = 4_000
"""Characters of a section; a longer one is left to the model."""

_OTHER_ARITHMETIC = (
    r"mod(?:ul[oa]r?|ulus)?|bases?|binary|octal|hex(?:adecimal)?|xor|bit(?:s|wise)?|boolean|clock|o'clock|define[sd]?|"
    r"operat(?:or|ion)s?|concatenat\w*|matri(?:x|ces)|vectors?|sets?"
)
_NOT_CLAIMED = (
    r"not|\w+n['\u2019]t|cannot|never|no|wrong|false|incorrect(?:ly)?|mistakes?|mistaken(?:ly)?|errors?|impossible|"
    r"contradict\w*|if|whether|unless|suppos\w*|assum\w*|would|could|should|might|may|maybe|perhaps|instead|rather|"
    r"than|check\w*|verif\w*|test\w*|guess\w*|compar\w*|prove\w*"
)
_INEXACT = (
    r"about|approx\w*|around|roughly|nearly|almost|close|estimat\w*|round\w*|truncat\w*|floor|ceil\w*|remainders?|"
    r"quotients?|integers?"
)
OTHER_ARITHMETIC = re.compile(rf"\b(?:{_OTHER_ARITHMETIC})\b", re.IGNORECASE)
# Any of these in a section, and none of its equations is a plain claim.
QUALIFIED = re.compile(
    rf"\b(?:{_OTHER_ARITHMETIC}|{_NOT_CLAIMED}|{_INEXACT})\b|[?~\u2248\u2245\u2243\u2260\u2261<>\u2264\u2265\u00b1\u2026]|\.\.\.",
    re.IGNORECASE,
)


class ArithmeticVerifier:
    """Refutes false equations in the next step; docs/verifiers.md lists what it leaves alone."""

    name = "arithmetic"

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        text = step.text_of("next_step")
        if "=" not in text or len(text) > MAX_TEXT or QUALIFIED.search(text) is not None:
            return None
        fault = false_equation(text)
        if fault is None or not _is_plain(problem) or OTHER_ARITHMETIC.search(step.text_of("understanding")):
            return None
        return Judgement("refuted", fault)

    def check_answer(self, problem: str, answer: str) -> bool | None:
        return None


@lru_cache(maxsize=64)
def _is_plain(problem: str) -> bool:
    """Whether the problem means the usual arithmetic: puzzles redefine signs, or give equations that are false."""
    return OTHER_ARITHMETIC.search(problem) is None and not may_mean_other_signs(problem)
