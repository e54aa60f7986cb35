"""Text that streams word by word behind the guide lines of a tree, wrapped under its own first column."""

import re

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

WORDS = re.compile(r"\n|[^\S\n]+|\S+")
MIN_WIDTH = 20

# A model, or whoever wrote its prompt, must not steer the reader's terminal.
CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")
CONTROL |= {ord("\t"): " ", ord("\n"): "\n"}


class GuidedText:
    """One line at a time: `begin`, any number of `write`, `end`.

    On a terminal, lines are wrapped between words; elsewhere each stays whole, so that it can be searched.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._wraps = console.is_terminal
        self._hanging = Text()
        self._column = 0
        self._word = ""
        self._word_style = ""

    def line(self, text: Text) -> None:
        """Write one whole line as it is."""
        self._console.print(text, soft_wrap=True, highlight=False)

    def begin(self, head: Text, hanging: Text) -> None:
        """Start a line with `head`; what wraps goes on behind `hanging`."""
        self._print(head)
        self._hanging = hanging
        self._column = head.cell_len

    def write(self, text: str, style: str = "") -> None:
        """Add text in which words may be cut anywhere between two calls."""
        for part in WORDS.findall(text.translate(CONTROL)):
            if part.isspace():
                self._finish_word()
                self._break() if part == "\n" else self._space()
            else:
                self._word += part
                self._word_style = style

    def end(self) -> None:
        """Finish the line."""
        self._finish_word()
        self._console.print()

    def _finish_word(self) -> None:
        if self._wraps and self._column + cell_len(self._word) > max(self._console.width, MIN_WIDTH):
            self._break()
        self._print(Text(self._word, self._word_style))
        self._column += cell_len(self._word)
        self._word = ""

    def _space(self) -> None:
        if self._column > self._hanging.cell_len:
            self._print(Text(" "))
            self._column += 1

    def _break(self) -> None:
        self._console.print()
        self._print(self._hanging)
        self._column = self._hanging.cell_len

    def _print(self, text: Text) -> None:
        self._console.print(text, end="", soft_wrap=True, highlight=False)
