"""Records of the data stages as token ids with a loss mask.

A long search becomes sequences that are as short as the context in which it is served with `memory`.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, tee
from typing import Any

from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Style
from steiner.training.data.shards import in_batches
from steiner.training.model.tokenizer import END_OF_TEXT, TURN_END
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
class Stretch:
    """What the model sees between one fold and the next: with `memory`, no more of a search is in its context.

    Attributes:
        token_ids: the start of reasoning, the live path with folded steps where branches were abandoned, and the
            stretch itself, up to the depth of the backtrack that ends it, or to the end.
        written: for each token, whether the model wrote it exactly so; False in folded steps.
        begin: index of the stretch's first token in the whole trace.
        end: index after its last.
    """

    token_ids: list[int]
    written: list[bool]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    learned: bool


_PartsOf = Callable[[Mapping[str, Any]], list[_Part]]


def encode_plain(
    records: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerFast
) -> Iterator[Document]:
    """Drills and traces as plain documents for continual pre-training: problem, line feed, text, end of text."""

    def parts(record: Mapping[str, Any]) -> list[_Part]:
        body = record["text"] if "text" in record else render(trace_from_json(record)).turn
        return [_Part(f"{record['prompt']}\n", False), _Part(f"{body}{END_OF_TEXT}", True)]

    yield from map(_join, _encode_parts(records, parts, tokenizer))


def chat_prompt(prompt: str, tokenizer: PreTrainedTokenizerFast, turns: Sequence[str] = ()) -> str:
    """The user's message and the generation prompt, as the server builds it.

    Args:
        turns: what was said before, alternately the user's and the assistant's text.
    """
    said = [*turns, prompt]
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def encode_chats(
    records: Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerFast,
    style: Style,
    cut: float,
    seed: int,
    num_stretches: int = 6,
    first: int = 0,
) -> Iterator[Document]:
    """Traces as chats for supervised fine-tuning, loss on the assistant's tokens.

    A share `cut` of them is closed early, as the server's budget does it. At a random point the automaton's closing
    tokens follow, which are forced and so not learned, and then an answer. In the direct style every
    trace is cut before its first step.

    Args:
        num_stretches: how many stretches of a folded trace become a chat each.
        first: number of the first record among all; each is cut by its number, whatever is encoded with it.
    """

    def parts(record: Mapping[str, Any]) -> list[_Part]:
        rendered = render(trace_from_json(record))
        return [
            _Part(chat_prompt(record["prompt"], tokenizer, record.get("turns", ())), False),
            _Part(STEINER.reasoning_start, style != "direct"),
            _Part(rendered.reasoning, True),
            _Part(STEINER.reasoning_end, True),
            _Part(rendered.answer + TURN_END, True),
            _Part(record["guess"] + TURN_END, True),
        ]

    automaton = Automaton(
        STEINER.bind(tokenizer), Policy(max_steps=1_000, max_depth=60, max_backtracks=1_000)
    )
    all_records, described = tee(records)
    encoded = zip(described, _encode_parts(all_records, parts, tokenizer), strict=True)
    for number, (record, pieces) in enumerate(encoded, first):
        rng = random.Random(f"{seed}/cut/{number}")
        prompt, start, reasoning, end, answer, guess = pieces
        if style == "direct":
            yield _join([prompt, start, _forced(end.token_ids), guess])
            continue
        body = _join([start, reasoning])
        seen = [Stretch(body.token_ids, body.learned, 0, len(body.token_ids))]
        if record.get("folded"):
            seen = choose_stretches(stretches(automaton.bound, body.token_ids), num_stretches, rng)
        states: list[State] = []
        for stretch in seen:
            written = Document(stretch.token_ids, stretch.written)
            if rng.random() < cut:
                states = states or _states(automaton, body.token_ids)
                kept, closing = _cut(automaton, stretch, states, rng)
                yield _join([prompt, kept, _forced(closing), guess])
            elif stretch is seen[-1]:
                yield _join([prompt, written, end, answer])
            else:
                yield _join([prompt, written])


def stretches(bound: BoundProtocol, token_ids: Sequence[int]) -> list[Stretch]:
    """Cut a trace after each of its backtracks; the ids begin with the start of reasoning.

    The token of the end of reasoning and what follows it are part of the last stretch.
    """
    context = FoldingContext(bound)
    written: list[bool] = []
    cut: list[Stretch] = []
    begin = 0
    for index, token_id in enumerate(token_ids):
        if token_id == bound.step_start_id and context.abandoned_to is not None:
            cut.append(Stretch(list(context.token_ids), list(written), begin, index))
            begin = index
            kept = context.fold()
            del written[kept:]
            written += [False] * (len(context.token_ids) - kept)
        context.take((token_id,))
        written.append(True)
    return [*cut, Stretch(context.token_ids, written, begin, len(token_ids))]


def choose_stretches(all_of_them: Sequence[Stretch], count: int, rng: random.Random) -> list[Stretch]:
    """At most `count` of them, in order; always including the last, because only that one has the answer."""
    *earlier, last = all_of_them
    chosen = sorted(rng.sample(range(len(earlier)), min(count - 1, len(earlier))))
    return [*(earlier[index] for index in chosen), last]


def _encode_parts(
    records: Iterable[Mapping[str, Any]], parts: _PartsOf, tokenizer: PreTrainedTokenizerFast
) -> Iterator[list[Document]]:
    """Tokenise many records at once. Parts meet at special tokens or line feeds, so each encodes as in the whole."""
    for batch in in_batches(records, BATCH):
        split = [parts(record) for record in batch]
        texts = [part.text for parts_of_one in split for part in parts_of_one]
        # Later, what is too long for the model is left out or cut into stretches.
        quietly = {"return_attention_mask": False, "verbose": False}
        encoded = iter(tokenizer(texts, add_special_tokens=False, **quietly)["input_ids"])
        for parts_of_one in split:
            yield [Document(ids := next(encoded), [part.learned] * len(ids)) for part in parts_of_one]


def _join(pieces: Sequence[Document]) -> Document:
    return Document([i for p in pieces for i in p.token_ids], [flag for p in pieces for flag in p.learned])


def _forced(token_ids: Sequence[int]) -> Document:
    return Document(list(token_ids), [False] * len(token_ids))


def _states(automaton: Automaton, token_ids: Sequence[int]) -> list[State]:
    """The automaton's state before each token, and after the last."""
    return list(accumulate(token_ids, automaton.advance, initial=automaton.initial))


def _cut(
    automaton: Automaton, stretch: Stretch, states: Sequence[State], rng: random.Random
) -> tuple[Document, tuple[int, ...]]:
    """The reasoning up to a random point of a stretch, and what closes it there. Half of the time the point is after a
    step, else anywhere."""
    length = stretch.end - stretch.begin
    folded = len(stretch.token_ids) - length
    own = stretch.token_ids[folded:]
    # The start of reasoning is always kept.
    first = int(stretch.begin == 0)
    behind_steps = [i for i, token_id in enumerate(own, 1) if token_id == automaton.bound.step_end_id]
    kept = rng.choice([first, *behind_steps[:-1]]) if rng.random() < 0.5 else rng.randrange(first, length)
    closing = automaton.closing(states[stretch.begin + kept])
    return Document(stretch.token_ids[: folded + kept], stretch.written[: folded + kept]), closing
