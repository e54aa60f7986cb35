"""The automaton's rules where the markers are text: lexemes over characters in place of tokens.

The text of a section and the tag that ends it are one lexeme: all texts in which that tag stands at the end alone. No
such text is the beginning of another. Still the lexeme has to be lazy: llguidance (1.7.6) does not always see that
nothing can follow, and would go on in it. In front of a tag, a little white space may
stand, because models like to indent. A limit on the tokens of a section is the conductor's: it goes on from a state
in which only the tag is legal.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from steiner.reasoning.automaton import State
from steiner.reasoning.grammar.rules import GrammarRules, in_a_row
from steiner.reasoning.text_markers import TextMarkers

SPACE = r"[ \n]"
GAP = f"{SPACE}{{0,4}}"
"""White space in front of a tag: enough for an empty line or an indented one, too little to get lost in."""

_LITERAL = frozenset(f"{string.ascii_letters}{string.digits}<>_= ")


def pattern_of(text: str) -> str:
    """A regular expression for exactly this text."""
    return "".join(char if char in _LITERAL else f"\\x{{{ord(char):X}}}" for char in text)


class TextGrammarRules(GrammarRules):
    """As its base, for a protocol of text markers."""

    def text_rule(self, state: State, *, is_begun: bool) -> str:
        """A section's text up to and including its closing tag, or what the verdicts' tags have in common."""
        if state.phase != "text":
            return super().text_rule(state, is_begun=is_begun)
        end = pattern_of(self._end_of_text(state))
        # Line feeds at the beginning are layout, so that a text needs more than those.
        some = "" if is_begun else r"[\r\n]*[^\r\n]"
        unwanted = [f"(?s:.*){end}(?s:.+)", *(f"(?s:.*){tag}(?s:.*)" for tag in self._kept_out(state))]
        body = f"/{some}(?s:.*){end}/" + "".join(f" & ~/{one}/" for one in unwanted)
        return self.stretch(f"text_{'rest' if is_begun else 'whole'}_{state.section}", body, "[lazy]")

    def symbol(self, token_id: int, state: State, *, has_text: bool) -> str:
        """A tag, as far as the text in front of it has not written it."""
        bound = self.automaton.bound
        tag = self._markers.tags.get(token_id)
        if tag is None:
            symbol = in_a_row([token_id])
            is_free = token_id in (bound.reasoning_start_id, bound.end_of_turn_id)
            return symbol if is_free else f"{self.stretch('GAP', f'/{SPACE}{{1,4}}/')}? {symbol}"
        name = f"TAG_{token_id - min(self._markers.tags)}"
        if has_text:
            rest = tag.removeprefix(self._end_of_text(state))
            return self.stretch(f"{name}_REST", f"/{pattern_of(rest)}/") if rest else ""
        if state.phase == "text" or token_id not in bound.special_ids:
            return self.stretch(f"{name}_ALONE", f"/{pattern_of(tag)}/")
        return self.stretch(name, f"/{GAP}{pattern_of(tag)}/")

    @property
    def _markers(self) -> TextMarkers:
        markers = self.automaton.bound.text
        assert markers is not None
        return markers

    def _end_of_text(self, state: State) -> str:
        """The closing tag, or the beginning of all that may end the text."""
        return _common_beginning([self._markers.tags[one] for one in self.automaton.ends_of_text(state)])

    def _kept_out(self, state: State) -> list[str]:
        """Tags other than the end that the parser would not take for text, as regular expressions."""
        bound = self.automaton.bound
        frame = (bound.protocol.reasoning_start, bound.protocol.reasoning_end)
        tags = [] if bound.ends_in_text else [*frame]
        end_id = bound.sections[state.section].end_id
        if end_id is not None and end_id not in self.automaton.ends_of_text(state):
            tags.append(self._markers.tags[end_id])
        return [pattern_of(tag) for tag in tags]


def _common_beginning(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    differs = (i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differs, len(first))]
