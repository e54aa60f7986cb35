"""What a model is told of a protocol whose markers are text: the layout, the rules, and an example with a backtrack.

It comes before the caller's own system message, in the language in which the caller asks. Its tokens are part of the
prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from steiner.reasoning.protocol import Protocol
from steiner.reasoning.protocols.outline import OUTLINE
from steiner.server.intake.prompts import Turn

LANGUAGES = ("en", "ja", "zh")
KANA = re.compile("[\u3041-\u309f\u30a1-\u30ff]")
HAN = re.compile("[\u4e00-\u9fff]")


def language_of(turns: Sequence[Turn]) -> str:
    """The language of the last question, as far as its script tells; English for all that we have no text in."""
    said = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    if KANA.search(said):
        return "ja"
    return "zh" if HAN.search(said) else "en"


class ProtocolPrompt:
    """Puts the prompt in front of conversations.

    Args:
        texts: by language; the one under "en" stands in for languages that have none.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    @classmethod
    def of(cls, protocol: Protocol, path: Path | None = None) -> ProtocolPrompt:
        """The prompt of a protocol, with its own tags for the reasoning.

        Args:
            path: a text that takes the place of ours in every language.

        Raises:
            OSError: it cannot be read.
            UnicodeDecodeError: it is no UTF-8.
        """
        if path is not None:
            return cls({"en": path.read_text(encoding="utf-8").strip()})
        folder = files("steiner.server.intake") / "protocol_prompts"
        texts = {language: (folder / f"{language}.txt").read_text(encoding="utf-8") for language in LANGUAGES}
        return cls({language: _framed(text, protocol).strip() for language, text in texts.items()})

    def before(self, turns: Sequence[Turn], *, as_system: bool = True) -> list[Turn]:
        """The conversation with the prompt in front.

        Args:
            as_system: whether it is a system message; else it begins the first message of the user, for chat
                templates that have no place for the former.
        """
        text = self._texts.get(language_of(turns), self._texts["en"])
        roles = ("system", "developer") if as_system else ("user",)
        at = 0 if as_system else next((i for i, turn in enumerate(turns) if turn.role == "user"), 0)
        if turns and turns[at].role in roles:
            told = replace(turns[at], text=f"{text}\n\n{turns[at].text}")
            return [*turns[:at], told, *turns[at + 1 :]]
        return [Turn("system" if as_system else "user", text), *turns]


def _framed(text: str, protocol: Protocol) -> str:
    text = text.replace(OUTLINE.reasoning_start, protocol.reasoning_start)
    return text.replace(OUTLINE.reasoning_end, protocol.reasoning_end)
