"""Our parser inside vLLM's own OpenAI server: `--reasoning-parser steiner`.

Written against vllm 0.32 (vllm/reasoning/abs_reasoning_parsers.py and vllm/parser/abstract_parser.py). Streams and
whole answers are read by token id. The texts that vLLM passes along are not used, because text does not tell a
marker from its spelling, and a section may decode differently in the middle of a sequence than alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vllm.entrypoints.generate.base.protocol import DeltaMessage
from vllm.exceptions import VLLMValidationError
from vllm.reasoning import ReasoningParser

from steiner.reasoning.events import Event
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import SectionDecoder, section_texts
from steiner.reasoning.protocol import BoundProtocol, Opening, opening_of
from steiner.reasoning.protocols import detect_protocol
from steiner.reasoning.tree.plain_text import ReasoningText

if TYPE_CHECKING:
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.responses.protocol import ResponsesRequest


class _ReceivesOutputIds(type):
    """Passes the ids of a whole answer on to the parser, for which vLLM's hook has only the text.

    vLLM composes a class around each reasoning parser and stores the parser's class in its body; Python reports
    that to the stored object's type (`object.__set_name__`). So nothing but that one class is changed.
    """

    def __set_name__(cls, composed: Any, name: str) -> None:
        parse = composed.parse

        def parse_ids(
            self: Any,
            model_output: str,
            request: Any,
            enable_auto_tools: bool = False,
            model_output_token_ids: Sequence[int] = (),
        ) -> Any:
            self.reasoning_parser.output_ids = tuple(model_output_token_ids)
            return parse(self, model_output, request, enable_auto_tools, model_output_token_ids)

        def set_prompt_token_ids(self: Any, prompt_token_ids: Sequence[int]) -> None:
            self.reasoning_parser.adjust_initial_state_from_prompt(prompt_token_ids)

        composed.parse = parse_ids
        composed.set_prompt_token_ids = set_prompt_token_ids


class SteinerReasoningParser(ReasoningParser, metaclass=_ReceivesOutputIds):
    """Separates the reasoning of one completion from its answer, for each of our protocols.

    The reasoning is worded as our own server words it; markers are in neither part. Structured outputs constrain
    what follows the end of reasoning.

    Attributes:
        output_ids: ids of the whole completion, set before `extract_reasoning` is called.

    Raises:
        MissingTokenError: the tokenizer has the markers of no protocol.
        ValueError: the tokenizer is not a fast one.
    """

    # The only mode in which vLLM also gives the answer's ids, and says when there are no more.
    engine_based_streaming = True

    def __init__(self, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(tokenizer, *args, **kwargs)
        self.output_ids: tuple[int, ...] = ()
        self._bound, self._new_decoder = _bind(tokenizer)
        self._opening: Opening = "before"
        self._stream: _Completion | None = None

    @property
    def reasoning_start_str(self) -> str:
        """The marker before the reasoning; vLLM's `thinking_token_budget` counts from it."""
        return self._bound.protocol.reasoning_start

    @property
    def reasoning_end_str(self) -> str:
        """The marker after the reasoning; vLLM appends it when `thinking_token_budget` is used up."""
        return self._bound.protocol.reasoning_end

    def adjust_request(
        self, request: ChatCompletionRequest | ResponsesRequest
    ) -> ChatCompletionRequest | ResponsesRequest:
        """Refuse options that vLLM would look for in the text of a stream.

        Raises:
            VLLMValidationError: stop strings or tools are asked for; vLLM answers with status 400.
        """
        if request.stop:
            raise VLLMValidationError(
                "The reasoning parser steiner reads token ids and cannot cut at stop strings; "
                "use stop_token_ids, or max_completion_tokens.",
                parameter="stop",
            )
        if request.tools and request.tool_choice != "none":
            raise VLLMValidationError(
                "The reasoning parser steiner knows no tool calls; leave tools out, or set tool_choice to none.",
                parameter="tools",
            )
        return request

    def adjust_initial_state_from_prompt(self, prompt_token_ids: Sequence[int]) -> None:
        """Begin where the chat template has left off."""
        self._opening = opening_of(self._bound, prompt_token_ids)

    def is_reasoning_end(self, input_ids: Sequence[int]) -> bool:
        """Whether the last turn of these ids is past its reasoning; in a prompt, the turn to be written."""
        is_whole = bool(input_ids) and input_ids[-1] == self._bound.end_of_turn_id
        return opening_of(self._bound, input_ids[:-1] if is_whole else input_ids) == "answer"

    def is_reasoning_end_streaming(self, input_ids: Sequence[int], delta_ids: Iterable[int]) -> bool:
        """Whether these new ids end the reasoning."""
        return self._bound.reasoning_end_id in delta_ids

    def extract_content_ids(self, input_ids: list[int]) -> list[int]:
        """Ids of the answer's text; empty before the end of reasoning."""
        end = self._bound.reasoning_end_id
        if end not in input_ids:
            return []
        answer = input_ids[input_ids.index(end) + 1 :]
        return [token_id for token_id in answer if token_id not in self._bound.special_ids]

    def count_reasoning_tokens(self, token_ids: Sequence[int]) -> int:
        """Tokens between the start and the end of reasoning, both excluded, markers of steps included."""
        ids, bound = list(token_ids), self._bound
        if bound.reasoning_start_id in ids:
            del ids[: ids.index(bound.reasoning_start_id) + 1]
        elif self._opening != "reasoning":
            return 0
        ends = [ids.index(i) for i in (bound.reasoning_end_id, bound.end_of_turn_id) if i in ids]
        return min(ends, default=len(ids))

    def extract_reasoning(
        self, model_output: str, request: ChatCompletionRequest | ResponsesRequest
    ) -> tuple[str | None, str | None]:
        """Reasoning and answer of a whole completion.

        Reads `output_ids`. A caller that sets none must not have dropped special tokens from the text, which is
        then encoded again.
        """
        ids: Sequence[int] = self.output_ids
        self.output_ids = ()
        if not ids:
            ids = self.model_tokenizer.encode(model_output, add_special_tokens=False)
        completion = self._new_completion()
        parts = completion.feed(ids), completion.close()
        reasoning, content = ("".join(pieces) for pieces in zip(*parts, strict=True))
        return reasoning or None, content or None

    def extract_reasoning_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
    ) -> DeltaMessage | None:
        """What these new ids add to reasoning and answer; None for nothing yet."""
        if self._stream is None:
            self._stream = self._new_completion()
        return _delta(self._stream.feed(delta_token_ids))

    def has_engine_confirmed_reasoning_end(self) -> bool:
        """Never true, because vLLM would then pass its own text on as the answer."""
        return False

    def finish_streaming(self) -> DeltaMessage | None:
        """What was held back, once no more ids come."""
        stream, self._stream = self._stream, None
        return None if stream is None else _delta(stream.close())

    def _new_completion(self) -> _Completion:
        return _Completion(Parser(self._bound, self._new_decoder, self._opening))


class _Completion:
    """One completion while it is read. Ids go in, and text of reasoning and answer comes out."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._reasoning = ReasoningText()

    def feed(self, token_ids: Sequence[int]) -> tuple[str, str]:
        return self._worded(self._parser.feed(token_ids))

    def close(self) -> tuple[str, str]:
        # The text does not show how the completion ended.
        return self._worded(self._parser.close("stop"))

    def _worded(self, events: Sequence[Event]) -> tuple[str, str]:
        answer = "".join(event.text for event in events if event.type == "answer.delta")
        return "".join(map(self._reasoning.feed, events)), answer


def _delta(text: tuple[str, str]) -> DeltaMessage | None:
    reasoning, content = text
    if not reasoning and not content:
        return None
    # Fields that are set are sent, so empty ones stay unset.
    return DeltaMessage(
        **({"reasoning": reasoning} if reasoning else {}), **({"content": content} if content else {})
    )


# vLLM makes a parser for every request, and binding asks the tokenizer for its whole vocabulary.
@lru_cache(maxsize=8)
def _bind(tokenizer: Any) -> tuple[BoundProtocol, Callable[[], SectionDecoder]]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(
            "The reasoning parser steiner needs a fast tokenizer; add tokenizer.json to the model."
        )
    return detect_protocol(tokenizer).bind(tokenizer), section_texts(backend)
