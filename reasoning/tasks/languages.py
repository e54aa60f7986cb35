"""The task families in Japanese and Chinese.

A family's rules and texts are English. What it says is put into a language here, and what comes in is put back:
requests as sentences, since the order of words differs, and notes and answers word by word. Words are separated by
spaces in every language.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from steiner.reasoning.tasks.lexicon import SENTENCES, WORDS

Language = Literal["en", "ja", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_SLOT = re.compile(r"\{(\w+)\}")


class _Translation:
    """From one language into another, a line at a time."""

    def __init__(self, words: Mapping[str, str], sentences: Sequence[tuple[str, str]]) -> None:
        self._words = words
        # Longest first, so that a phrase is not taken for its first word.
        known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._word = re.compile(rf"(?<!\w)(?:{known})(?!\w)")
        self._sentences = [(_pattern(read), written) for read, written in sentences]

    def __call__(self, text: str) -> str:
        return "\n".join(map(self._line, text.split("\n")))

    def _line(self, line: str) -> str:
        for pattern, written in self._sentences:
            if match := pattern.fullmatch(line.strip()):
                return written.format_map(
                    {slot: self._noted(told) for slot, told in match.groupdict().items()}
                )
        return self._noted(line)

    def _noted(self, text: str) -> str:
        return self._word.sub(lambda match: self._words[match[0]], text)


def _pattern(template: str) -> re.Pattern[str]:
    parts = _SLOT.split(template)
    return re.compile(
        "".join(f"(?P<{part}>.+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    )


_FROM_ENGLISH = {
    language: _Translation(words, [(sentence["en"], sentence[language]) for sentence in SENTENCES])
    for language, words in WORDS.items()
}
_INTO_ENGLISH = _Translation(
    {told: english for words in WORDS.values() for english, told in words.items()},
    [(sentence[language], sentence["en"]) for language in WORDS for sentence in SENTENCES],
)


def in_language(text: str, language: Language) -> str:
    """A family's English text in the language; words that the lexicon lacks stay as they are."""
    return text if language == "en" else _FROM_ENGLISH[language](text)


def in_english(text: str) -> str:
    """A family's text of any language in English; whatever else is said stays as it is."""
    # Every word and sentence of the other languages has letters beyond ASCII.
    return text if text.isascii() else _INTO_ENGLISH(text)


def words_of(language: Language) -> set[str]:
    """Every word that `in_language` writes; none for English, whose words the families list themselves."""
    if language == "en":
        return set()
    written = [*WORDS[language].values(), *(_SLOT.sub("", sentence[language]) for sentence in SENTENCES)]
    return {word for text in written for word in text.split()}


_SPOKEN: Mapping[Language, frozenset[str]] = {
    "en": frozenset(word for phrase in WORDS["ja"] for word in phrase.split()),
    "ja": frozenset(words_of("ja")),
    "zh": frozenset(words_of("zh")),
}


def language_of(text: str) -> Language | None:
    """The language of most of the known words; None if there are none, as in a formula."""
    words = re.findall(r"\w+", text)
    counts = {language: sum(word in spoken for word in words) for language, spoken in _SPOKEN.items()}
    most = max(LANGUAGES, key=lambda language: counts[language])
    return most if counts[most] else None


def answer_in_english(answer: str, language: Language) -> str | None:
    """An answer to a question in this language; None if it is in another one. A formula is in every language."""
    return in_english(answer).strip() if language_of(answer) in (language, None) else None
