"""What a model of text markers is told, and in which language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.property.outline_walks import outlined

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.parser.scanner import SPACE, TEXT, Scanner
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols.outline import OUTLINE
from steiner.server.intake.prompts import Turn
from steiner.server.intake.protocol_prompt import LANGUAGES, ProtocolPrompt, language_of

PROMPT = ProtocolPrompt.of(OUTLINE)
SPEAKING = {"en": "How many?", "ja": "何羽いますか。", "zh": "有几只"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_caller_is_told_in_the_language_of_the_question(language: str) -> None:
    turns = [Turn("user", "earlier"), Turn("assistant", "日本"), Turn("user", SPEAKING[language])]
    assert language_of(turns) == language
    told, *rest = PROMPT.before(turns)
    assert rest == turns
    assert told.role == "system"
    assert language_of([Turn("user", told.text)]) == language


def test_it_stands_in_front_of_the_callers_own_system_message() -> None:
    system, user = PROMPT.before([Turn("system", "Be brief."), Turn("user", "How many?")])
    assert system.role == "system"
    assert system.text.startswith("Before you answer")
    assert system.text.endswith("\n\nBe brief.")
    assert user == Turn("user", "How many?")


def test_without_a_place_for_it_it_begins_the_first_question() -> None:
    turns = [Turn("user", "How many?"), Turn("assistant", "5"), Turn("user", "Why?")]
    first, *rest = PROMPT.before(turns, as_system=False)
    assert first.role == "user"
    assert first.text.endswith("\n\nHow many?")
    assert rest == turns[1:]


def test_a_file_takes_its_place_in_every_language(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("Reason in <reasoning>.\n", encoding="utf-8")
    prompt = ProtocolPrompt.of(OUTLINE, path)
    for question in SPEAKING.values():
        assert prompt.before([Turn("user", question)])[0].text == "Reason in <reasoning>."


def test_a_model_that_thinks_is_told_of_its_own_tags() -> None:
    told = ProtocolPrompt.of(outlined(thinks=True).bound.protocol).before([Turn("user", "How many?")])[0].text
    assert told.count("<think>") == told.count("</think>") - 1 == 2
    assert "reasoning>" not in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_examples_are_legal(language: str) -> None:
    """Each block between the tags is what the automaton allows, up to the answer."""
    spoken: Any = outlined()
    told = PROMPT.before([Turn("user", SPEAKING[language])])[0].text
    blocks = told.split("\n<reasoning>\n")[1:]
    assert len(blocks) == 2
    for block in blocks:
        reasoning = "<reasoning>\n" + block.split("</reasoning>")[0] + "</reasoning>"
        automaton = Automaton(spoken.bound, Policy())
        (text_id,) = spoken.tokenizer.encode("a", add_special_tokens=False)
        scanner, state = Scanner(spoken.bound, spoken.bound.text, "before"), automaton.initial
        for token_id in spoken.tokenizer.encode(reasoning, add_special_tokens=False):
            scanner.push(token_id)
            while (unit := scanner.peek()) is not None:
                scanner.take()
                if unit.id == TEXT:
                    state = automaton.advance(state, text_id)
                elif unit.id != SPACE:
                    state = automaton.advance(state, unit.id)
        assert state.phase == "answer"
