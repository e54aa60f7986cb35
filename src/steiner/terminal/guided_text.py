"""Text that streams word by word after the guide lines of a tree, wrapped under its own first column."""

import re

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

WORDS = re.compile(r"\n|[^\S\n]+|\S+")
MIN_WIDTH = 20

# Neither a model nor the author of its prompt may control the reader's terminal.
CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")
CONTROL |= {ord("\t"): " ", ord("\n"): "\n"}


def without_controls(text: str) -> str:
    """The text with its control characters made visible; line feeds stay."""
    return text.translate(CONTROL)


class GuidedText:
    """One line at a time: `begin`, any number of `write`, `end`.

    On a terminal, lines are wrapped between words; elsewhere each stays whole, so that it can be searched.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = max(console.width, MIN_WIDTH) if console.is_terminal else None
        self._hanging = Text()
        self._column = 0
        #: A space is printed with the next word, so that no line ends in one.
        self._gap = ""
        self._word = ""
        self._word_style = ""

    def line(self, head: Text, text: str, style: str = "") -> None:
        """Write one whole line: `head` and then `text`."""
        self.begin(head, head)
        self.write(text, style)
        self.end()

    def begin(self, head: Text, hanging: Text) -> None:
        """Start a line with `head`. Its text, and what wraps, is aligned under the end of `hanging`."""
        self._hanging = hanging
        self._start(head)
        self._gap = " " * (hanging.cell_len - head.cell_len)

    def write(self, text: str, style: str = "") -> None:
        """Add text in which words may be cut anywhere between two calls."""
        for part in WORDS.findall(without_controls(text)):
            if part.isspace():
                self._finish_word()
                if part == "\n":
                    self._break()
                elif self._column > self._hanging.cell_len:
                    self._gap = " "
            else:
                self._word += part
                self._word_style = style

    def end(self) -> None:
        """Finish the line."""
        self._finish_word()
        self._console.print()

    def _finish_word(self) -> None:
        if not self._word:
            return
        begun = self._column > self._hanging.cell_len
        if begun and self._width and self._column + cell_len(self._gap + self._word) > self._width:
            self._break()
        text = Text(self._gap + self._word, self._word_style)
        self._print(text)
        self._column += text.cell_len
        self._gap = self._word = ""

    def _break(self) -> None:
        self._console.print()
        self._start(self._hanging)

    def _start(self, head: Text) -> None:
        self._print(head)
        self._column = head.cell_len
        self._gap = ""

    def _print(self, text: Text) -> None:
        self._console.print(text, end="", soft_wrap=True, highlight=False)
