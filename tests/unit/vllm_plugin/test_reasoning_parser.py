"""The parser inside of the class that vLLM composes around it, fed as vLLM's server feeds it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.protocol import Protocol
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.protocols.think import THINK

PROMPT = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
REASONING = (
    "left 1\nleft 1\nleft 1 [verified]\nleft 1\n\n"
    "left 2\nleft 2\nleft 2 [refuted]\nleft 2\n[back to depth 1]\n\n"
    "left 3\nleft 3\nleft 3 [verified]\nleft 3"
)


def composed(tokenizer: PreTrainedTokenizerFast) -> Any:
    """What vLLM's server makes for each request under `--reasoning-parser steiner`."""
    from vllm.parser import ParserManager

    from steiner.vllm_plugin.register import register

    register()
    parser_class = ParserManager.get_parser(reasoning_parser_name="steiner", tokenizer=tokenizer)
    assert parser_class is not None
    return parser_class(tokenizer)


def request(**fields: Any) -> Any:
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    return ChatCompletionRequest(messages=[{"role": "user", "content": "hi"}], **fields)


def whole(
    tokenizer: PreTrainedTokenizerFast, ids: Sequence[int], prompt: str = PROMPT
) -> tuple[str | None, str | None]:
    """Reasoning and content of an answer that is not streamed; the text lacks special tokens, as vLLM's does."""
    parser = composed(tokenizer)
    parser.set_prompt_token_ids(tokenizer.encode(prompt))
    text = tokenizer.decode(ids, skip_special_tokens=True)
    reasoning, content, tool_calls = parser.parse(text, request(), model_output_token_ids=list(ids))
    assert not tool_calls
    return reasoning, content


def streamed(
    tokenizer: PreTrainedTokenizerFast, chunks: Sequence[Sequence[int]], prompt: str = PROMPT
) -> tuple[str | None, str | None]:
    """The deltas of a stream, joined."""
    parser = composed(tokenizer)
    prompt_ids = tokenizer.encode(prompt)
    deltas = [
        parser.parse_delta(
            tokenizer.decode(chunk, skip_special_tokens=True),
            list(chunk),
            request(stream=True),
            prompt_ids,
            finished=number == len(chunks),
        )
        for number, chunk in enumerate(chunks, 1)
    ]
    said = [delta for delta in deltas if delta is not None]
    reasoning, content = ("".join(getattr(d, name) or "" for d in said) for name in ("reasoning", "content"))
    return reasoning or None, content or None


def pieces(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def byte_tokenizer(protocol: Protocol) -> PreTrainedTokenizerFast:
    """Byte-level BPE without merges, as Qwen's, with this protocol's markers."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(BPE({letter: token_id for token_id, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *protocol.special_tokens]
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")


@pytest.fixture(scope="module")
def preview() -> PreTrainedTokenizerFast:
    return byte_tokenizer(STEINER_PREVIEW)


def test_reasoning_is_worded_as_by_our_server(tokenizer: Any, stage: Any) -> None:
    assert whole(tokenizer, stage.ids_of(stage.with_backtrack)) == (REASONING, "make 22")


@pytest.mark.parametrize("size", [1, 3, 16, 1000])
def test_a_stream_adds_up_to_the_whole(tokenizer: Any, stage: Any, size: int) -> None:
    ids = stage.ids_of(stage.with_backtrack)
    assert streamed(tokenizer, pieces(ids, size)) == (REASONING, "make 22")


def test_a_chunk_has_only_what_it_adds(tokenizer: Any, ids_of: Any) -> None:
    parser = composed(tokenizer)
    chunks = ("<start><step_start><step_understanding_start>", "left", "<step_understanding_end><end>", "2")
    deltas = [parser.parse_delta("", ids_of(chunk), request(), [], finished=False) for chunk in chunks]
    assert [delta and delta.model_dump(exclude_unset=True) for delta in deltas] == [
        None,
        {"reasoning": "left"},
        None,
        {"content": "2"},
    ]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_preview_has_no_verdicts_and_no_depths(preview: PreTrainedTokenizerFast, size: int) -> None:
    def step(text: str) -> str:
        names = ("name", "thought", "summary", "reflection")
        sections = (f"<|reasoning_step_{name}_start|>{text}<|reasoning_step_{name}_end|>" for name in names)
        return f"<|reasoning_step_start|>{''.join(sections)}<|reasoning_step_end|>"

    text = (
        f"<|reasoning_start|>{step('ein Weg')}<|reasoning_backtrack|>{step('日本')}<|reasoning_end|>"
        " 42 é<|im_end|>"
    )
    ids = preview.encode(text)
    lines = "\n".join(["ein Weg"] * 4), "\n".join(["日本"] * 4)
    expected = f"{lines[0]}\n[back]\n\n{lines[1]}", " 42 é"
    assert whole(preview, ids) == streamed(preview, pieces(ids, size)) == expected


@pytest.mark.parametrize("size", [1, 1000])
def test_the_template_may_have_opened_the_reasoning(size: int) -> None:
    tokenizer = byte_tokenizer(THINK)
    ids = tokenizer.encode("hm, 4</think>4<|im_end|>")
    opened = f"{PROMPT}<think>\n"
    assert whole(tokenizer, ids, opened) == streamed(tokenizer, pieces(ids, size), opened) == ("hm, 4", "4")
    ids, closed = tokenizer.encode("4<|im_end|>"), f"{PROMPT}<think></think>"
    assert whole(tokenizer, ids, closed) == streamed(tokenizer, pieces(ids, size), closed) == (None, "4")


def test_a_marker_that_is_only_spelled_is_text(preview: PreTrainedTokenizerFast) -> None:
    spelled = "<|reasoning_end|>"
    ids = [
        *preview.encode("<|reasoning_start|><|reasoning_end|>"),
        *preview.convert_tokens_to_ids(list(spelled)),
    ]
    assert whole(preview, ids) == streamed(preview, [ids]) == (None, spelled)


def test_a_cut_completion_keeps_what_it_has(tokenizer: Any, stage: Any) -> None:
    ids = stage.ids_of(f"<start>{stage.step()}<proceed><step_start><step_understanding_start>left 2")
    expected = ("left 1\nleft 1\nleft 1 [verified]\nleft 1\n\nleft 2", None)
    assert whole(tokenizer, ids) == streamed(tokenizer, pieces(ids, 4)) == expected


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_in_any_soup_no_marker_leaks_and_the_stream_is_the_whole(
    seed: int, tokenizer: Any, bound: Any
) -> None:
    rng = random.Random(seed)
    words = tokenizer.encode("make 22 from 15 4 11 é\n", add_special_tokens=False)
    ids = rng.choices([*bound.special_ids, *words, *words], k=rng.randrange(1, 80))
    if rng.random() < 0.7:
        ids.insert(0, bound.reasoning_start_id)
    parts = whole(tokenizer, ids)
    assert streamed(tokenizer, list(random_pieces(rng, ids))) == parts
    said = "".join(part or "" for part in parts)
    assert not [token for token in tokenizer.all_special_tokens if token in said]


def random_pieces(rng: random.Random, ids: Sequence[int]) -> Iterator[Sequence[int]]:
    start = 0
    while start < len(ids):
        size = rng.randrange(1, 17)
        yield ids[start : start + size]
        start += size


def test_a_second_answer_owes_nothing_to_the_first(tokenizer: Any, stage: Any) -> None:
    # vLLM's Responses route reads the whole again with the parser that streamed it.
    parser = composed(tokenizer)
    ids = stage.ids_of(stage.one_step)
    for _ in range(2):
        parser.parse_delta("", ids, request(), tokenizer.encode(PROMPT), finished=True)
        assert parser.parse("", request(), model_output_token_ids=ids)[1] == "22"


def test_without_ids_the_text_is_encoded_again(preview: PreTrainedTokenizerFast) -> None:
    text = (
        "<|reasoning_start|><|reasoning_step_start|><|reasoning_step_name_start|>go"
        "<|reasoning_step_name_end|><|reasoning_step_end|><|reasoning_end|>42"
    )
    parser = composed(preview).reasoning_parser
    assert parser.extract_reasoning(text, request()) == ("go", "42")


@pytest.mark.parametrize(
    ("text", "is_ended"),
    [
        ("<start>", False),
        ("<start><end>", True),
        ("<start><end>22", True),
        ("<start><end>22<eot>", True),
        ("<start><end>22<eot><start>", False),
        ("make 22<eot>", False),
        ("", False),
    ],
)
def test_the_end_of_reasoning_is_the_last_turns(
    tokenizer: Any, ids_of: Any, text: str, is_ended: bool
) -> None:
    assert composed(tokenizer).reasoning_parser.is_reasoning_end(ids_of(text)) is is_ended


def test_structured_outputs_begin_behind_the_end_token(tokenizer: Any, bound: Any, ids_of: Any) -> None:
    parser = composed(tokenizer).reasoning_parser
    ids = ids_of("<start>make<end>22<eot>")
    ends = [parser.is_reasoning_end_streaming(ids[: i + 1], [token_id]) for i, token_id in enumerate(ids)]
    assert [token_id for token_id, is_end in zip(ids, ends, strict=True) if is_end] == [
        bound.reasoning_end_id
    ]
    assert parser.extract_content_ids(ids) == ids_of("22")
    assert parser.extract_content_ids(ids_of("<start>make")) == []


def test_markers_that_bound_the_reasoning_are_single_tokens(tokenizer: Any, bound: Any) -> None:
    parser = composed(tokenizer).reasoning_parser
    markers = [parser.reasoning_start_str, parser.reasoning_end_str]
    assert [tokenizer.encode(marker, add_special_tokens=False) for marker in markers] == [
        [bound.reasoning_start_id],
        [bound.reasoning_end_id],
    ]


def test_reasoning_tokens_are_counted_as_by_our_parser(tokenizer: Any, bound: Any, stage: Any) -> None:
    ids = stage.ids_of(stage.with_backtrack)
    own = composed(tokenizer)
    for end in range(len(ids) + 1):
        parser = Parser(bound, section_texts(tokenizer.backend_tokenizer))
        parser.feed(ids[:end])
        assert own.count_reasoning_tokens(ids[:end]) == parser.num_reasoning_tokens


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"stop": ["\n"]}, "stop_token_ids"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"}, "tool_choice"),
    ],
)
def test_what_needs_the_streams_text_is_refused(tokenizer: Any, fields: dict[str, Any], says: str) -> None:
    from vllm.exceptions import VLLMValidationError

    with pytest.raises(VLLMValidationError, match=says):
        composed(tokenizer).adjust_request(request(**fields))
    assert composed(tokenizer).adjust_request(request(stop_token_ids=[5])).stop_token_ids == [5]


def test_a_tokenizer_without_markers_is_refused() -> None:
    backend = Tokenizer(BPE({"a": 0}, []))
    bare = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="a")
    # vLLM asks at its start, and puts the reason into the message with which it ends.
    with pytest.raises(TypeError, match="cannot be used with the tokenizer") as refusal:
        composed(bare)
    assert isinstance(refusal.value.__cause__, MissingTokenError)
    with pytest.raises(TypeError, match="fast tokenizer"):
        composed(object())
