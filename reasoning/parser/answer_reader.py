"""From the answer's ids to its text: decoded, ended at stop strings, with its tokens' log probabilities."""

from collections.abc import Sequence

from steiner.reasoning.answer import AnswerToken, ToolCall
from steiner.reasoning.events import FinishReason
from steiner.reasoning.parser.answer_log import AnswerLog
from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.parser.event_log import EventLog
from steiner.reasoning.parser.stop_strings import StopRule, StopStrings
from steiner.reasoning.parser.tool_calls import ToolCallReader


class AnswerReader:
    """Emits the answer as `answer.delta` events, and its end as `answer.done`.

    The text, and which tokens come with it, are the same at any chunking. A token comes once, with the first piece of
    text that it contributes to. Tokens of a stop string that is left out do not come.

    Args:
        call_reader: finds calls of tools in the text; None if it can have none.

    Attributes:
        num_tokens: tokens of text so far, including those of a stop string.
        stopped_by: the stop string, or the id of the stop token, that ended it.
    """

    def __init__(
        self,
        decoder: SectionDecoder,
        log: EventLog,
        stop: StopRule,
        call_reader: ToolCallReader | None = None,
    ) -> None:
        self.num_tokens = 0
        self.stopped_by: str | int | None = None
        self._decoder = decoder
        self._stop = stop
        self._strings = StopStrings(stop.strings, included=stop.included) if stop.strings else None
        self._said = AnswerLog(log, call_reader)
        self._num_decoded = 0
        self._num_said = 0
        self._waiting: list[tuple[int, AnswerToken]] = []

    @property
    def text(self) -> str:
        """The text so far, without calls."""
        return self._said.text

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The whole calls so far."""
        return self._said.calls

    def take_text(
        self,
        ids: Sequence[int],
        logprobs: Sequence[AnswerToken] | None = None,
        text: str | None = None,
    ) -> None:
        """Read tokens of text; those after a stop are dropped.

        Args:
            text: what they say, where it is known.
        """
        if text is not None:
            self._take_decoded(ids, logprobs, text)
            return
        if not self._stop:
            self._take(ids, logprobs)
            return
        for position, token_id in enumerate(ids):
            if self.stopped_by is not None:
                return
            if token_id in self._stop.token_ids:
                self.stopped_by = token_id
                if not self._stop.included:
                    return
            self._take((token_id,), logprobs and logprobs[position : position + 1])

    def take_marker(self, token_id: int) -> bool:
        """Whether this marker is a stop token; it has no text."""
        if token_id in self._stop.token_ids:
            self.stopped_by = token_id
            return True
        return False

    def end(self, finish_reason: FinishReason) -> FinishReason:
        """Emit what is held back, and the end; returns the finish reason, which calls may change."""
        cut_off = finish_reason == "length" or self.stopped_by is not None
        text = self._pass(self._decoder.flush(cut_off=cut_off))
        if self._strings is not None:
            text += self._strings.flush()
        self._say(text, is_last=True)
        return self._said.end(finish_reason, self.num_tokens, self.stopped_by)

    def _take(self, ids: Sequence[int], logprobs: Sequence[AnswerToken] | None) -> None:
        self.num_tokens += len(ids)
        if logprobs is None:
            self._say(self._pass(self._decoder.feed(ids)))
            return
        pieces = []
        for token_id, token in zip(ids, logprobs, strict=True):
            self._waiting.append((self._num_decoded, token))
            pieces.append(self._pass(self._decoder.feed((token_id,))))
        self._say("".join(pieces))

    def _take_decoded(self, ids: Sequence[int], logprobs: Sequence[AnswerToken] | None, text: str) -> None:
        if self.stopped_by is not None:
            return
        stopped_by = next((token_id for token_id in ids if token_id in self._stop.token_ids), None)
        if stopped_by is not None:
            self.stopped_by = stopped_by
            if not self._stop.included:
                return
        self.num_tokens += len(ids)
        self._waiting += [(self._num_decoded, token) for token in logprobs or ()]
        self._say(self._pass(text))

    def _pass(self, text: str) -> str:
        self._num_decoded += len(text)
        if self._strings is None:
            return text
        text = self._strings.feed(text)
        self.stopped_by = self._strings.found if self.stopped_by is None else self.stopped_by
        return text

    def _say(self, text: str, *, is_last: bool = False) -> None:
        self._num_said += len(text)
        given = None
        if self._waiting:
            # After the last text, a token without text, such as a part of a character, can only go to the end.
            everything = is_last and (self._strings is None or self._strings.found is None)
            num_given = sum(everything or start < self._num_said for start, _ in self._waiting)
            given = tuple(token for _, token in self._waiting[:num_given])
            del self._waiting[:num_given]
        self._said.take(text, given)
