"""Whether the teacher's answer is the right one."""

import re
import unicodedata
from fractions import Fraction

from steiner.training.teacher.config import Completions

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:/\d+)?(?:e[-+]?\d{1,3})?", re.ASCII)


def is_right(settings: Completions, answer: str, right: str) -> bool:
    """Compare as the run says; an answer in which the pattern or the number is not found is wrong."""
    if settings.answer_pattern is not None:
        found = re.search(settings.answer_pattern, answer)
        if found is None or found[1] is None:
            return False
        answer = found[1]
    if settings.judge == "text":
        return bool(answer) and _plain(answer) == _plain(right)
    given, wanted = _number(answer), _number(right)
    return given is not None and given == wanted


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("$", "")
    return " ".join(folded.split()).rstrip(".")


def _number(text: str) -> Fraction | None:
    """The only number of a text; thousands may be set apart by commas."""
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", _plain(text)).replace("\u2212", "-")
    found = _NUMBER.findall(plain)
    if len(found) != 1:
        return None
    try:
        return Fraction(found[0])
    except (ValueError, ZeroDivisionError):
        return None
