"""What the grammar of tools lets a model write: walks through llguidance's masks, drawn at random."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from tests.grammar_mask import Mask
from tests.grammar_walks import ByteGrammar
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.answer import ToolCall
from steiner.reasoning.grammar.rules import HEADER
from steiner.reasoning.parser.tool_calls import AnswerPiece, CallDone, PlainText, ToolCallReader, call_text
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.intake.tools.grammar import answer_grammar
from steiner.server.intake.tools.use import NO_PARAMETERS, CallMode, Function, ToolUse

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 4},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    },
    "required": ["city", "unit"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {"get_weather": WEATHER, "now": NO_PARAMETERS}
FUNCTIONS = tuple(
    Function(index, name, schema, is_strict=True) for index, (name, schema) in enumerate(SCHEMAS.items())
)
CALL = call_text("get_weather", {"city": "Oslo", "unit": "celsius"})
NOW = call_text("now", {})
NUMBER = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}


@pytest.fixture(scope="module")
def qwen_like() -> PreTrainedTokenizerFast:
    """Bytes without merges; the tags of a call are one ordinary token each, as Qwen2.5 has them."""
    alphabet = {char: index for index, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken("<|im_end|>", special=True, normalized=False)])
    backend.add_tokens([AddedToken(tag, normalized=False) for tag in ("<tool_call>", "</tool_call>")])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")


class Walker:
    """Draws tokens from the masks of one grammar, as a model of random weights does."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        mode: CallMode,
        text_schema: dict[str, Any] | None = None,
        *,
        parallel: bool = True,
        names: tuple[str, ...] = ("get_weather", "now"),
    ) -> None:
        use = ToolUse(tuple(one for one in FUNCTIONS if one.name in names), mode, parallel)
        tag_ids = PromptEncoder(tokenizer, tokenizer.all_special_ids).tag_ids
        grammar = answer_grammar(use, text_schema, tag_ids=tag_ids)
        self.tokenizer = tokenizer
        self.end_id: int = tokenizer.convert_tokens_to_ids("<|im_end|>")
        self._grammar = f"{HEADER}start: answer <[{self.end_id}]>\n{grammar}"
        self._spelled = ByteGrammar(answer_grammar(use, text_schema))
        # The server's bias keeps these out.
        self._kept_out = set(tokenizer.all_special_ids) - {self.end_id}

    def mask(self) -> Mask:
        return Mask(self.tokenizer, self._grammar, len(self.tokenizer))

    def takes(self, text: str) -> bool:
        """Whether this may be a whole answer."""
        return self._spelled.takes(text)

    def allowed(self, mask: Mask) -> list[int]:
        return sorted(mask.ids() - self._kept_out)

    def walk(self, draw: random.Random, max_tokens: int) -> tuple[str, bool]:
        """A random answer, and whether it ended by itself."""
        mask, ids = self.mask(), list[int]()
        for _ in range(max_tokens):
            choices = self.allowed(mask)
            # Ends are one token of hundreds; taken where they may be, walks get somewhere.
            token_id = self.end_id if self.end_id in choices and draw.random() < 0.5 else draw.choice(choices)
            assert mask.accept(token_id)
            if token_id == self.end_id:
                return self.tokenizer.decode(ids), True
            ids.append(token_id)
        return self.tokenizer.decode(ids), False


def read(text: str, *, cut_off: bool) -> Iterator[AnswerPiece]:
    reader = ToolCallReader()
    yield from reader.feed(text)
    yield from reader.flush(cut_off=cut_off)


@pytest.fixture(params=["tiny", "qwen-like"])
def any_tokenizer(
    request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerFast, qwen_like: PreTrainedTokenizerFast
) -> PreTrainedTokenizerFast:
    return tokenizer if request.param == "tiny" else qwen_like


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("names", [("get_weather", "now"), ("get_weather",), ("now",)])
def test_random_weights_give_legal_calls_and_nothing_else(
    any_tokenizer: PreTrainedTokenizerFast, names: tuple[str, ...], parallel: bool
) -> None:
    walker = Walker(any_tokenizer, "required", parallel=parallel, names=names)
    draw, num_ended = random.Random(7), 0
    for _ in range(12):
        text, ended = walker.walk(draw, 400)
        pieces = list(read(text, cut_off=not ended))
        assert not any(isinstance(piece, PlainText) for piece in pieces)
        calls: list[ToolCall] = [piece.call for piece in pieces if isinstance(piece, CallDone)]
        for call in calls:
            assert call.name in names
            jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])
        if ended:
            num_ended += 1
            assert calls
            assert parallel or len(calls) == 1
    assert num_ended >= 6


def test_text_may_come_before_calls_and_not_behind_them(any_tokenizer: PreTrainedTokenizerFast) -> None:
    walker = Walker(any_tokenizer, "auto")
    for answer in ("hello", "a <tool", "</tool_call>", CALL, f"hello\n{CALL}", f"{CALL}\n{NOW}\n{CALL}"):
        assert walker.takes(answer), answer
    wrong = CALL.replace("get_weather", "get_whether")
    missing = call_text("get_weather", {"city": "Oslo"})
    further = call_text("now", {"at": 1})
    for answer in (wrong, missing, further, f"{CALL} so", f"{CALL}{NOW}", "<tool_call>", CALL[:-1]):
        assert not walker.takes(answer), answer


def test_one_call_alone_where_calls_are_not_parallel(any_tokenizer: PreTrainedTokenizerFast) -> None:
    for mode in ("auto", "required"):
        walker = Walker(any_tokenizer, mode, parallel=False)
        assert walker.takes(CALL)
        assert not walker.takes(f"{CALL}\n{NOW}")


def test_none_is_text_without_a_call(any_tokenizer: PreTrainedTokenizerFast) -> None:
    walker = Walker(any_tokenizer, "none")
    assert walker.takes("hello <tool, 1 < 2")
    assert not walker.takes(CALL)
    assert not walker.takes("say <tool_call>")


def test_a_response_format_is_that_of_an_answer_without_calls(any_tokenizer: PreTrainedTokenizerFast) -> None:
    takes = {mode: Walker(any_tokenizer, mode, NUMBER).takes for mode in ("none", "auto", "required")}
    number, text = '{"value": 5}', "five"
    assert [mode for mode, take in takes.items() if take(number)] == ["none", "auto"]
    assert [mode for mode, take in takes.items() if take(CALL)] == ["auto", "required"]
    assert not any(take(text) for take in takes.values())


def test_the_tag_of_a_call_is_one_token_or_its_spelling(qwen_like: PreTrainedTokenizerFast) -> None:
    walker = Walker(qwen_like, "required")
    first = {qwen_like.convert_ids_to_tokens(token_id) for token_id in walker.allowed(walker.mask())}
    assert first == {"<", "<tool_call>"}
