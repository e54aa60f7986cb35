"""Read a text/event-stream as bytes arrive (WHATWG HTML standard, "Server-sent events").

`EventStreamDecoder.feed` gives the same messages at any chunking of the bytes.
"""

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One dispatched message.

    Attributes:
        event: the type; "message" if the stream names none.
        data: the data lines, joined by line feeds.
        last_event_id: the id in force, which a client sends as `Last-Event-ID` to go on from here.
    """

    event: str
    data: str
    last_event_id: str


class EventStreamDecoder:
    """Bytes in, messages out. As in the standard, a message is only dispatched once a blank line ends it.

    `retry:` is ignored, because the client has its own pauses.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._started = False
        self._line = ""
        self._after_carriage_return = False
        self._event = ""
        self._data: list[str] = []
        self._last_event_id = ""

    def feed(self, chunk: bytes) -> list[Message]:
        """Return the messages that this chunk completes."""
        text = self._decode(chunk)
        if not text:
            return []
        if not self._started:
            self._started = True
            text = text.removeprefix("\N{BYTE ORDER MARK}")
        messages = []
        for line in self._lines(text):
            if line:
                self._field(line)
            elif (message := self._dispatch()) is not None:
                messages.append(message)
        return messages

    def _lines(self, text: str) -> list[str]:
        """Split at CR LF, LF and CR alone, keeping an unfinished line for the next chunk."""
        if self._after_carriage_return:
            # The CR already ended its line, so the LF of the same pair is not a second end.
            text = text.removeprefix("\n")
        self._after_carriage_return = text.endswith("\r")
        *lines, self._line = (self._line + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._last_event_id = value

    def _dispatch(self) -> Message | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return Message(event, "\n".join(data), self._last_event_id) if data else None
