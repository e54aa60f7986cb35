"""What the loss counts: never the prompt, never what a server would force."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.documents.encode import Document, chat_prompt, encode_chats, encode_plain
from steiner.training.traces.render import render, sections_text, trace_to_json

WIDE = Policy(max_steps=1000, max_depth=60, max_backtracks=1000)


@pytest.fixture(scope="module")
def records(examples: list[Any]) -> list[dict[str, Any]]:
    """As the traces file has them."""
    return [
        {
            "prompt": example.family.prompt(example.problem),
            "guess": example.family.direct_answer(example.problem, random.Random(1))
            if example.solvable
            else example.trace.answer,
            **trace_to_json(example.trace),
        }
        for example in examples
    ]


Text = Callable[[Document, bool], str]


@pytest.fixture(scope="module")
def text(tokenizer: PreTrainedTokenizerFast) -> Text:
    """What of a document is learned, or is not, as text."""

    def decode(document: Document, learned: bool) -> str:
        pairs = zip(document.token_ids, document.learned, strict=True)
        return str(tokenizer.decode([token_id for token_id, flag in pairs if flag == learned]))

    return decode


def completion(document: Document, prompt_ids: list[int]) -> list[int]:
    assert document.token_ids[: len(prompt_ids)] == prompt_ids
    assert not any(document.learned[: len(prompt_ids)])
    return document.token_ids[len(prompt_ids) :]


def test_the_prompt_is_what_a_server_sends(tokenizer: PreTrainedTokenizerFast) -> None:
    assert chat_prompt("make 3 from 1 2", tokenizer) == (
        "<|im_start|>user\nmake 3 from 1 2<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_whole_trace_is_learned_and_its_prompt_is_not(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> None:
    automaton = Automaton(bound, WIDE)
    for record, document in zip(records, encode_chats(records, tokenizer, "search", 0.0, 1), strict=True):
        prompt_ids = tokenizer.encode(chat_prompt(record["prompt"], tokenizer), add_special_tokens=False)
        written = completion(document, prompt_ids)
        assert all(document.learned[len(prompt_ids) :])
        state = automaton.initial
        for token_id in written:
            state = automaton.advance(state, token_id)
        assert state.phase == "done"
        answer = written[written.index(bound.reasoning_end_id) + 1 : -1]
        assert tokenizer.decode(answer) == record["answer"]


def test_parts_encode_as_the_whole_does(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, examples: list[Any]
) -> None:
    chats = encode_chats(records, tokenizer, "search", 0.0, 1)
    for example, record, chat, plain in zip(
        examples, records, chats, encode_plain(records, tokenizer), strict=True
    ):
        rendered = render(example.trace)
        body = f"{STEINER.reasoning_start}{rendered.reasoning}{STEINER.reasoning_end}{rendered.answer}"
        whole = f"{chat_prompt(record['prompt'], tokenizer)}{body}<|im_end|>"
        assert tokenizer.encode(whole, add_special_tokens=False) == chat.token_ids
        whole = f"{record['prompt']}\n{body}<|endoftext|>"
        assert tokenizer.encode(whole, add_special_tokens=False) == plain.token_ids


def test_a_cut_trace_is_closed_as_a_server_closes_it(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> None:
    automaton = Automaton(bound, WIDE)
    phases = set()
    for record, document in zip(records, encode_chats(records, tokenizer, "search", 1.0, 1), strict=True):
        prompt_ids = tokenizer.encode(chat_prompt(record["prompt"], tokenizer), add_special_tokens=False)
        written = completion(document, prompt_ids)
        learned = document.learned[len(prompt_ids) :]
        first_forced, num_forced = learned.index(False), learned.count(False)
        state = automaton.initial
        for token_id in written[:first_forced]:
            state = automaton.advance(state, token_id)
        phases.add(state.phase)
        closing = automaton.closing(state)
        assert tuple(written[first_forced : first_forced + num_forced]) == closing
        assert not any(learned[first_forced : first_forced + num_forced])
        state = automaton.close(state)
        answer = written[first_forced + num_forced :]
        assert all(learned[first_forced + num_forced :])
        for token_id in answer:
            state = automaton.advance(state, token_id)
        assert state.phase == "done"
        assert tokenizer.decode(answer[:-1]) == record["guess"]
    # Some are cut in front of the first step, some behind a step, some inside a section.
    assert phases >= {"step", "decision", "text"}


def test_about_the_share_that_was_asked_for_is_cut(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> None:
    documents = list(encode_chats(records * 4, tokenizer, "search", 0.25, 3))
    num_cut = sum(
        not document.learned[document.token_ids.index(bound.reasoning_end_id)] for document in documents
    )
    assert 0.17 < num_cut / len(documents) < 0.33


def test_encoding_repeats_itself(records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast) -> None:
    first, again, other = (list(encode_chats(records, tokenizer, "search", 0.5, s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_direct_style_learns_the_answer_alone(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, text: Text
) -> None:
    for record, document in zip(records, encode_chats(records, tokenizer, "direct", 0.15, 1), strict=True):
        assert text(document, True) == f"{record['guess']}<|im_end|>"
        given = f"{chat_prompt(record['prompt'], tokenizer)}{STEINER.reasoning_start}{STEINER.reasoning_end}"
        given_ids = tokenizer.encode(given, add_special_tokens=False)
        assert completion(document, given_ids) == document.token_ids[document.learned.index(True) :]


def test_plain_documents_are_problem_line_feed_text(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast, examples: list[Any], text: Text
) -> None:
    rng = random.Random(0)
    drilled = []
    for example, record in zip(examples, records, strict=True):
        verdict, sections = next(example.family.drills(example.problem, rng))
        drilled.append({"prompt": record["prompt"], "text": sections_text(sections, verdict)})
    for record, document in zip(drilled, encode_plain(drilled, tokenizer), strict=True):
        assert text(document, False) == record["prompt"] + "\n"
        ids = tokenizer.encode(record["text"] + "<|endoftext|>", add_special_tokens=False)
        assert document.token_ids[-len(ids) :] == ids
        assert all(document.learned[-len(ids) :])
    for record, document in zip(records, encode_plain(records, tokenizer), strict=True):
        assert text(document, False) == record["prompt"] + "\n"
        learned = text(document, True)
        assert learned.startswith(STEINER.reasoning_start)
        assert learned.endswith("<|endoftext|>")
