"""How wide text is, and where it breaks, without a font.

The advance widths are those of DejaVu Sans, rounded up by class: the widest of the sans-serif fonts that a reader is
likely to have, so that text fits its card in all of them.
"""

import re
import unicodedata

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
#: Classes of characters with their widths in units of the font size.
WIDTHS = (
    ("ijlI'|.,:;!` ", 0.34),
    ('frt()[]/\\-J"', 0.42),
    ("mw%@MW", 0.99),
    ("+=<>~_^#", 0.84),
    ("abcdeghknopqsuvxyz0123456789*?$", 0.64),
)
WIDTH_OF = {character: width for characters, width in WIDTHS for character in characters}
OTHER, WIDE = 0.78, 1.05
#: What XML 1.0 cannot hold, and what changes the direction of the text after it.
UNFIT = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)


def visible(text: str) -> str:
    """The text, with replacement characters for what a picture cannot show."""
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in the unit of `size`, rather too large than too small."""
    return sum(_advance(character) for character in text) * size * (1.1 if bold else 1.0)


def shortened(text: str, size: float, width: float, bold: bool = False) -> str:
    """As much of the text as fits on one line, with an ellipsis if it was cut."""
    line = " ".join(visible(text).split())
    if text_width(line, size, bold) <= width:
        return line
    room = width - text_width(ELLIPSIS, size, bold)
    return line[: _fitting(line, size, room, bold)].rstrip() + ELLIPSIS


def wrapped(text: str, size: float, width: float, max_lines: int) -> tuple[str, ...]:
    """Lines broken between words, or inside words that are longer than a line. Text that does not fit is cut off."""
    # No line holds more than this many characters, however narrow they are.
    limit = max_lines * int(width / (size * 0.3)) + 1
    words = " ".join(visible(text[: 4 * limit]).split())[:limit].split(" ")
    lines: list[str] = []
    while words and len(lines) < max_lines:
        if len(lines) == max_lines - 1:
            lines.append(shortened(" ".join(words), size, width))
            break
        line = words.pop(0)
        if text_width(line, size) > width:
            cut = max(1, _fitting(line, size, width, bold=False))
            line, rest = line[:cut], line[cut:]
            words.insert(0, rest)
        else:
            while words and text_width(f"{line} {words[0]}", size) <= width:
                line = f"{line} {words.pop(0)}"
        lines.append(line)
    return tuple(line for line in lines if line)


def _fitting(text: str, size: float, width: float, bold: bool) -> int:
    """Number of leading characters that fit."""
    used, unit = 0.0, size * (1.1 if bold else 1.0)
    for count, character in enumerate(text):
        used += _advance(character) * unit
        if used > width:
            return count
    return len(text)


def _advance(character: str) -> float:
    known = WIDTH_OF.get(character)
    if known is not None:
        return known
    if unicodedata.combining(character):
        return 0.0
    return WIDE if unicodedata.east_asian_width(character) in "WF" else OTHER
