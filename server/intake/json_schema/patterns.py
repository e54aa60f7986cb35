"""Patterns of JSON Schema as regular expressions over the content of JSON strings.

A pattern is ECMA-262's, and Python's checkers read it by their own rules. Where the two differ, what fits both is taken
(`\\d` is 0 to 9), and what fits neither where a text must not match; what they read as different things, or what no
finite automaton can do, is refused.

https://json-schema.org/draft/2020-12/json-schema-validation#name-pattern
https://262.ecma-international.org/#sec-patterns
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from steiner.server.intake.json_schema.code_points import (
    ALL,
    Ranges,
    complement,
    matching,
    ranges_of,
    without,
)
from steiner.server.intake.json_schema.string_content import ANY_CHARACTER, one_of

MAX_REPEATS = 5000
"""Of a counted repetition: beyond, the automaton has more states than a request may ask for."""
ANYTHING = f"(?:{ANY_CHARACTER})*"


class PatternError(Exception):
    """The pattern cannot be enforced; the message says what of it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the whole content of a string must match, or must not.

    Attributes:
        regex: of Rust's crate `regex`, over content in its one spelling (`string_content`).
    """

    regex: str
    holds: bool = True


DIGIT = ranges_of([(0x30, 0x39)])
WORD = ranges_of([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
SPACE = ranges_of(
    [
        (0x09, 0x0D),
        (0x20, 0x20),
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
    ]
)
LINE_ENDS = ranges_of([(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)])
LINE_FEED = ranges_of([(0x0A, 0x0A)])
CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _widest(name: str) -> Ranges:
    """What either reading of `\\d`, `\\w` or `\\s` takes, so that what is outside is outside for both."""
    match name:
        case "d":
            return matching(str.isdecimal)
        case "w":
            return ranges_of((*WORD, *matching(_is_word)))
        case _:
            return ranges_of((*SPACE, *matching(str.isspace), (0xFEFF, 0xFEFF)))


@dataclass(frozen=True, slots=True)
class _Set:
    """A class of characters: those that it has for every reader, and those that it may have for one."""

    surely: Ranges
    perhaps: Ranges

    @classmethod
    def of(cls, ranges: Ranges) -> _Set:
        return cls(ranges, ranges)

    def or_(self, other: _Set) -> _Set:
        return _Set(ranges_of((*self.surely, *other.surely)), ranges_of((*self.perhaps, *other.perhaps)))

    def inverted(self) -> _Set:
        return _Set(complement(self.perhaps), complement(self.surely))


@lru_cache(maxsize=256)
def conditions_of(pattern: str, *, widest: bool = False) -> tuple[Condition, ...]:
    """What a pattern asks of a string; all of the conditions together.

    Args:
        widest: what fits for one reader at least, in place of what fits for all.

    Raises:
        PatternError: it cannot be enforced.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternError(f"it is not read alike everywhere ({error})") from error
    return _Reader(pattern, widest=widest).conditions()


class _Reader:
    """Reads a pattern from left to right and writes the regular expression as it goes."""

    def __init__(self, pattern: str, *, widest: bool) -> None:
        self._pattern = pattern
        self._widest = widest
        self._at = 0

    def conditions(self) -> tuple[Condition, ...]:
        found = self._search()
        if self._at < len(self._pattern):
            raise PatternError(f"there is an unmatched parenthesis at character {self._at}")
        return found

    def _search(self) -> tuple[Condition, ...]:
        """Alternatives that may each be anchored."""
        branches = [self._anchored()]
        while self._take("|"):
            branches.append(self._anchored())
        if len(branches) == 1:
            return branches[0]
        if any(len(branch) > 1 for branch in branches):
            raise PatternError("a lookahead in one of several alternatives is not supported")
        return (Condition(f"(?:{'|'.join(branch[0].regex for branch in branches)})"),)

    def _anchored(self) -> tuple[Condition, ...]:
        starts = self._take("^")
        ahead: list[Condition] = []
        while starts and (sign := self._take_any("(?!", "(?=")):
            holds = sign == "(?="
            # What must not come is left out by the wider reading, if the whole is read narrowly.
            self._widest ^= not holds
            ahead.append(Condition(self._ahead(), holds))
            self._widest ^= not holds
        if not ahead and self._is_one_group():
            # Anchors inside of a group that is all there is are those of the whole.
            mark = self._at
            self._open_group()
            inner = self._search()
            self._expect(")")
            if self._peek() in ("", "|", ")") and not starts:
                return inner
            self._at = mark
        body = self._sequence()
        ends = self._take("$")
        if self._peek() not in ("", "|", ")"):
            raise PatternError(f"an anchor in the middle (character {self._at}) is not supported")
        end = self._end if ends else ANYTHING
        return (Condition(f"{'' if starts else ANYTHING}{body}{end}"), *ahead)

    @property
    def _end(self) -> str:
        """Of the text; for Python also in front of a last line feed."""
        return f"(?:{one_of(LINE_FEED)})?" if self._widest else ""

    def _one_of(self, characters: _Set) -> str:
        return one_of(characters.perhaps if self._widest else characters.surely)

    def _ahead(self) -> str:
        """What a string begins with, up to the end of a lookahead."""
        branches = []
        while True:
            body = self._sequence()
            branches.append(body + (self._end if self._take("$") else ANYTHING))
            if not self._take("|"):
                break
        self._expect(")")
        return f"(?:{'|'.join(branches)})"

    def _is_one_group(self) -> bool:
        """Whether a group with an anchor in it comes next."""
        return self._peek() == "(" and bool(
            re.match(r"\((\?:|\?<[A-Za-z_]\w*>)?\(*\^", self._pattern[self._at :])
        )

    def _alternatives(self) -> str:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return f"(?:{'|'.join(branches)})"

    def _sequence(self) -> str:
        parts = []
        while (following := self._peek()) not in ("", "|", ")", "$"):
            if following == "^":
                raise PatternError(f"an anchor in the middle (character {self._at}) is not supported")
            parts.append(self._atom() + self._count())
        return "".join(parts)

    def _atom(self) -> str:
        character = self._next()
        match character:
            case "(":
                self._at -= 1
                self._open_group()
                body = self._alternatives()
                if self._peek() == "$":
                    raise PatternError(f"an anchor in the middle (character {self._at}) is not supported")
                self._expect(")")
                return body
            case "[":
                return self._one_of(self._class())
            case ".":
                return self._one_of(_Set(without(ALL, LINE_ENDS), without(ALL, LINE_FEED)))
            case "\\":
                return self._one_of(self._escape(in_class=False))
            case "*" | "+" | "?":
                raise PatternError(f"{character} at character {self._at - 1} repeats nothing")
            case "{" | "}":
                raise PatternError("a brace that counts nothing is not read alike everywhere; escape it")
            case _:
                return one_of(ranges_of([(ord(character), ord(character))]))

    def _open_group(self) -> None:
        opened = self._take_any("(?:", "(?<=", "(?<!", "(?=", "(?!", "(?<", "(?", "(")
        if opened in ("(?=", "(?!", "(?<=", "(?<!"):
            raise PatternError("a lookahead that is not right behind ^, or a lookbehind, is not supported")
        if opened == "(?<":
            if not self._take_name():
                raise PatternError("a group's name cannot be read")
        elif opened == "(?":
            raise PatternError("flags and other extensions of groups are not read alike everywhere")

    def _take_name(self) -> bool:
        named = re.compile(r"[A-Za-z_]\w*>").match(self._pattern, self._at)
        if named is not None:
            self._at = named.end()
        return named is not None

    def _count(self) -> str:
        sign = self._take_any("*", "+", "?")
        if not sign and self._peek() == "{":
            counted = re.compile(r"\{(\d+)(,(\d*))?\}").match(self._pattern, self._at)
            if counted is None:
                raise PatternError("a brace that counts nothing is not read alike everywhere; escape it")
            if max(int(number) for number in (counted[1], counted[3]) if number) > MAX_REPEATS:
                raise PatternError(f"it repeats a part more than {MAX_REPEATS} times")
            self._at = counted.end()
            sign = counted[0]
        if not sign:
            return ""
        self._take("?")
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError(f"a repetition of a repetition (character {self._at}) is not supported")
        return sign

    def _class(self) -> _Set:
        inverted = self._take("^")
        found = _Set.of(())
        is_first = True
        while is_first or self._peek() != "]":
            if self._peek() in ("", "]"):
                raise PatternError("an empty class of characters is not read alike everywhere")
            is_first = False
            low = self._member()
            if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
                self._next()
                high = self._member()
                found = found.or_(_Set.of(ranges_of([(_only(low), _only(high))])))
            else:
                found = found.or_(low)
        self._expect("]")
        return found.inverted() if inverted else found

    def _member(self) -> _Set:
        character = self._next()
        if character == "\\":
            return self._escape(in_class=True)
        return _Set.of(ranges_of([(ord(character), ord(character))]))

    def _escape(self, *, in_class: bool) -> _Set:
        character = self._next()
        match character:
            case "d" | "w" | "s":
                narrow = {"d": DIGIT, "w": WORD, "s": SPACE}[character]
                return _Set(narrow, _widest(character))
            case "D" | "W" | "S":
                lower = character.lower()
                narrow = {"d": DIGIT, "w": WORD, "s": SPACE}[lower]
                return _Set(narrow, _widest(lower)).inverted()
            case "x" | "u":
                return _Set.of(self._code(2 if character == "x" else 4))
            case "0" if not self._peek().isdigit():
                return _Set.of(((0, 0),))
            case _ if character in CONTROLS:
                code = CONTROLS[character]
                return _Set.of(((code, code),))
            case "b" if in_class:
                return _Set.of(((8, 8),))
            case _ if character.isascii() and not character.isalnum():
                return _Set.of(((ord(character), ord(character)),))
        raise PatternError(f"\\{character} is not supported or not read alike everywhere")

    def _code(self, num_digits: int) -> Ranges:
        digits = self._pattern[self._at : self._at + num_digits]
        if not re.fullmatch(f"[0-9a-fA-F]{{{num_digits}}}", digits):
            raise PatternError("a code of a character is cut short")
        self._at += num_digits
        code = int(digits, 16)
        if not ranges_of([(code, code)]):
            raise PatternError("half of a surrogate pair is no character; write the character itself")
        return ((code, code),)

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise PatternError("it ends too early")
        self._at += 1
        return character

    def _take(self, text: str) -> bool:
        return bool(self._take_any(text))

    def _take_any(self, *texts: str) -> str:
        for text in texts:
            if self._pattern.startswith(text, self._at):
                self._at += len(text)
                return text
        return ""

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise PatternError(f"{text} is missing at character {self._at}")


def _only(members: _Set) -> int:
    """The one character that an end of a range is."""
    if len(members.perhaps) == 1 and members.perhaps[0][0] == members.perhaps[0][1]:
        return members.perhaps[0][0]
    raise PatternError("a range of a class needs a character at each end")
