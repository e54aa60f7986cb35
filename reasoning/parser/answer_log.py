"""The answer as events: its text, and the calls of tools that it makes."""

from collections.abc import Sequence

from steiner.reasoning import events
from steiner.reasoning.answer import AnswerToken, ToolCall
from steiner.reasoning.events import FinishReason
from steiner.reasoning.parser.event_log import EventLog
from steiner.reasoning.parser.tool_calls import (
    AnswerPiece,
    CallArguments,
    CallDone,
    CallStarted,
    PlainText,
    ToolCallReader,
)


class AnswerLog:
    """Turns an answer into events of the stream.

    Args:
        call_reader: finds calls in the text; None if it can have none.
    """

    def __init__(self, log: EventLog, call_reader: ToolCallReader | None) -> None:
        self._log = log
        self._call_reader = call_reader
        self._texts: list[str] = []
        self._calls: list[ToolCall] = []
        self._num_started = 0

    @property
    def text(self) -> str:
        """All text so far, without calls."""
        return "".join(self._texts)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The whole calls so far."""
        return tuple(self._calls)

    def take(self, text: str, logprobs: Sequence[AnswerToken] | None) -> None:
        """Add more of the answer, as the model wrote it.

        Args:
            logprobs: of its tokens, including those of calls; sent with the first text, or without text.
        """
        pieces: list[AnswerPiece] = []
        if text:
            pieces = [PlainText(text)] if self._call_reader is None else self._call_reader.feed(text)
        if logprobs and not (pieces and isinstance(pieces[0], PlainText)):
            pieces = [PlainText(""), *pieces]
        for piece in pieces:
            self._say(piece, logprobs)
            logprobs = None

    def end(
        self, finish_reason: FinishReason, num_tokens: int, stop_reason: str | int | None
    ) -> FinishReason:
        """End the answer; returns the finish reason, which calls may change."""
        if self._call_reader is not None:
            is_cut_off = finish_reason == "length" or stop_reason is not None
            for piece in self._call_reader.flush(cut_off=is_cut_off):
                self._say(piece)
        if finish_reason == "stop" and self._calls:
            finish_reason = "tool_calls"
        self._log.say(
            events.AnswerDone,
            text=self.text,
            num_tokens=num_tokens,
            finish_reason=finish_reason,
            stop_reason=stop_reason,
            tool_calls=self.calls,
        )
        return finish_reason

    def _say(self, piece: AnswerPiece, logprobs: Sequence[AnswerToken] | None = None) -> None:
        match piece:
            case PlainText(text):
                self._texts.append(text)
                given = None if logprobs is None else tuple(logprobs)
                self._log.say(events.AnswerDelta, text=text, logprobs=given)
            case CallStarted(call_id, name):
                self._num_started += 1
                self._log.say(events.ToolCallStarted, index=self._index, id=call_id, name=name)
            case CallArguments(text):
                self._log.say(events.ToolCallDelta, index=self._index, arguments=text)
            case CallDone(call):
                self._calls.append(call)
                self._log.say(events.ToolCallDone, index=self._index, **call.model_dump())

    @property
    def _index(self) -> int:
        return self._num_started - 1
