"""Records of the data stages as token ids with a loss mask."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.tokenizer import END_OF_TEXT, TURN_END
from steiner.training.traces.render import render, trace_from_json

BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Document:
    """One training sequence.

    Attributes:
        token_ids: the whole sequence.
        learned: for each token whether the loss counts it.
    """

    token_ids: list[int]
    learned: list[bool]


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    learned: bool


_PartsOf = Callable[[dict[str, Any]], list[_Part]]


def encode_plain(records: Iterable[dict[str, Any]], tokenizer: PreTrainedTokenizerFast) -> Iterator[Document]:
    """Drills and traces as plain documents for continual pre-training: problem, line feed, text, end of text."""

    def parts(record: dict[str, Any]) -> list[_Part]:
        if "text" in record:
            body = record["text"]
        else:
            rendered = render(trace_from_json(record))
            body = f"{STEINER.reasoning_start}{rendered.reasoning}{STEINER.reasoning_end}{rendered.answer}"
        return [_Part(f"{record['prompt']}\n", False), _Part(f"{body}{END_OF_TEXT}", True)]

    yield from map(_join, _encode_parts(records, parts, tokenizer))


def chat_prompt(prompt: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """One user message and the generation prompt, as the server builds it."""
    messages = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def encode_chats(
    records: Iterable[dict[str, Any]],
    tokenizer: PreTrainedTokenizerFast,
    style: Literal["search", "direct"],
    cut: float,
    seed: int,
) -> Iterator[Document]:
    """Traces as chats for supervised fine-tuning, loss on the assistant's tokens.

    A share `cut` of them is closed early, as the server's budget does it: at a random point the automaton's closing
    tokens follow, which are forced and so not learned, then an answer. In the direct style every
    trace is cut before its first step.
    """

    def parts(record: dict[str, Any]) -> list[_Part]:
        rendered = render(trace_from_json(record))
        return [
            _Part(chat_prompt(record["prompt"], tokenizer), False),
            _Part(STEINER.reasoning_start, style == "search"),
            _Part(rendered.reasoning, True),
            _Part(STEINER.reasoning_end, True),
            _Part(rendered.answer + TURN_END, True),
            _Part(record["guess"] + TURN_END, True),
        ]

    automaton = Automaton(
        STEINER.bind(tokenizer), Policy(max_steps=1_000, max_depth=60, max_backtracks=1_000)
    )
    rng = random.Random(f"{seed}/cut")
    for pieces in _encode_parts(records, parts, tokenizer):
        prompt, start, reasoning, end, answer, guess = pieces
        if style == "direct":
            kept = [prompt, start, _forced(end.token_ids), guess]
        elif rng.random() < cut:
            kept_ids, closing = _cut(automaton, start.token_ids, reasoning.token_ids, rng)
            kept = [prompt, start, Document(kept_ids, [True] * len(kept_ids)), _forced(closing), guess]
        else:
            kept = [prompt, start, reasoning, end, answer]
        yield _join(kept)


def _encode_parts(
    records: Iterable[dict[str, Any]], parts: _PartsOf, tokenizer: PreTrainedTokenizerFast
) -> Iterator[list[Document]]:
    """Tokenise many records at once; parts meet at special tokens or line feeds, so each encodes as in the whole."""
    for batch in _batches(records):
        split = [parts(record) for record in batch]
        texts = [part.text for parts_of_one in split for part in parts_of_one]
        encoded = iter(tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"])
        for parts_of_one in split:
            yield [Document(ids := next(encoded), [part.learned] * len(ids)) for part in parts_of_one]


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(records)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _join(pieces: Sequence[Document]) -> Document:
    return Document([i for p in pieces for i in p.token_ids], [flag for p in pieces for flag in p.learned])


def _forced(token_ids: Sequence[int]) -> Document:
    return Document(list(token_ids), [False] * len(token_ids))


def _cut(
    automaton: Automaton, start: Sequence[int], reasoning: Sequence[int], rng: random.Random
) -> tuple[list[int], tuple[int, ...]]:
    """The reasoning up to a random point and what closes it there: half of the time behind a step, else anywhere."""
    states = [automaton.initial]
    for token_id in start:
        states[0] = automaton.advance(states[0], token_id)
    for token_id in reasoning:
        states.append(automaton.advance(states[-1], token_id))
    behind_steps = [i for i, token_id in enumerate(reasoning, 1) if token_id == automaton.bound.step_end_id]
    kept = rng.choice([0, *behind_steps[:-1]]) if rng.random() < 0.5 else rng.randrange(len(reasoning))
    return list(reasoning[:kept]), automaton.closing(states[kept])
