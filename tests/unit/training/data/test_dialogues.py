"""Training dialogues: neither problem is held out, the second is the first with the news, turns are the server's."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from steiner.reasoning.parser import Parser
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.reasoning.tasks.dialogue import problem_of_dialogue
from steiner.reasoning.verifiers.task import is_solvable
from steiner.server.intake.messages import Message
from steiner.server.intake.tools.conversation import turns_of
from steiner.training.config.recipe import Recipe
from steiner.training.data.dialogues import dialogue_record, draw_dialogue, turn_text
from steiner.training.documents.encode import chat_prompt, encode_chats
from steiner.training.model.tokenizer import build_tokenizer, family_words
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import is_held_out
from steiner.training.traces.render import render, trace_from_json

SIZES = {"countdown": 3, "routes": 4, "knights": 4}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer(family_words(dialogues=True), 2048)


@pytest.fixture
def records(recipe_of: Callable[..., Recipe]) -> list[dict[str, Any]]:
    data = {
        name: {"problems": 20, "sizes": [{"size": size, "folded": 0.5}], "dialogues": 12}
        for name, size in SIZES.items()
    }
    recipe = recipe_of(data=data)
    return [dict(dialogue_record(recipe, name, number)) for name in data for number in range(12)]


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize("held_out", [True, False])
def test_both_problems_are_on_one_side_of_the_split(name: str, held_out: bool) -> None:
    family = FAMILIES[name]
    for seed in range(6):
        dialogue = draw_dialogue(family, SIZES[name], random.Random(seed), held_out=held_out)
        assert dialogue.first != dialogue.revised == family.revise(dialogue.first, dialogue.revision)
        for problem in (dialogue.first, dialogue.revised):
            assert is_held_out(family.canonical(problem)) == held_out


@pytest.mark.parametrize("name", list(FAMILIES))
def test_news_of_every_kind_come_up_and_mostly_leave_a_solution(name: str) -> None:
    family = FAMILIES[name]
    drawn = [draw_dialogue(family, SIZES[name], random.Random(s), held_out=False) for s in range(200)]
    kinds = {dialogue.revision.split()[-2 if name == "countdown" else 0] for dialogue in drawn}
    assert kinds == {"countdown": {"make", "for"}, "routes": {"now", "also"}, "knights": {"now"}}[name]
    solvable = sum(bool(is_solvable(family, dialogue.revised)) for dialogue in drawn)
    assert 170 < solvable < 200


def test_the_search_is_for_the_problem_that_both_messages_come_to(records: list[dict[str, Any]]) -> None:
    assert len(records) == 36
    assert {record["folded"] for record in records} == {True, False}
    for record in records:
        family = FAMILIES[record["family"]]
        problem = problem_of_dialogue(family, f"{record['turns'][0]}\n{record['prompt']}")
        assert problem is not None
        for answer in (record["answer"], record["guess"]):
            if answer == NOT_FOUND:
                assert is_solvable(family, problem) is False
            else:
                assert family.check(problem, answer)


def test_an_earlier_turn_is_worded_as_the_server_words_it(
    records: list[dict[str, Any]], tokenizer: Any
) -> None:
    """The trace, written out and parsed as the server does, sent back as a client does."""
    bound = STEINER.bind(tokenizer)
    for record in records:
        taught = trace_from_json(record)
        written = render(taught)
        text = (
            f"{STEINER.reasoning_start}{written.reasoning}{STEINER.reasoning_end}{written.answer}<|im_end|>"
        )
        parser = Parser(bound, _decoder_of(tokenizer))
        parser.feed(tokenizer.encode(text, add_special_tokens=False))
        parser.close("stop")
        trace = parser.trace
        assert not trace.num_violations
        message = Message(role="assistant", content=trace.answer, reasoning_steps=list(trace.steps))
        assert [turn.text for turn in turns_of([message])] == [turn_text(taught)]


def test_only_the_last_turn_is_learned(records: list[dict[str, Any]], tokenizer: Any) -> None:
    for document in encode_chats(records, tokenizer, "search", cut=0.0, seed=1):
        first = document.learned.index(True)
        before = tokenizer.decode(document.token_ids[:first])
        assert before.count("user\n") == before.count("assistant\n") == 2
        assert "user" not in tokenizer.decode(document.token_ids[first:])


def test_a_prompt_of_turns_is_the_chat_templates(tokenizer: Any) -> None:
    messages = [
        {"role": "user", "content": "make 22 from 15 4 11"},
        {"role": "assistant", "content": "left 15 11\n4"},
        {"role": "user", "content": "now make 37"},
    ]
    expected = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert chat_prompt("now make 37", tokenizer, [m["content"] for m in messages[:2]]) == expected


def _decoder_of(tokenizer: Any) -> Any:
    from steiner.reasoning.parser.decoding import section_texts

    return section_texts(tokenizer.backend_tokenizer)
