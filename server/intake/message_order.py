"""Conversations for chat templates that take fewer of them than OpenAI's API allows.

Gemma's template refuses a system message, and Phi-3's first one left it out without a word. Mistral's and Gemma's want
users and assistants in turn. Nothing that was said is dropped: messages are joined, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Message = dict[str, Any]
"""As `apply_chat_template` takes it."""
INSTRUCTING = ("system", "developer")
BETWEEN = "\n\n"


def arrangements(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """The conversation in ever simpler forms, the given one first; a form that changes nothing is left out.

    Then developers are systems, as in OpenAI's API for models that know but one of them. Then neighbours of one role
    are one message, and what instructs comes first. Last, the instructions begin the first message of the user.
    """
    seen: list[list[Message]] = []
    form = list(messages)
    for simpler in (list, _without_developers, _joined, _with_system_in_front, _without_system):
        form = simpler(form)
        if form not in seen:
            seen.append(form)
            yield form


def _without_developers(messages: Sequence[Message]) -> list[Message]:
    return [
        message | {"role": "system"} if message["role"] == "developer" else message for message in messages
    ]


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role as one message. Calls of tools and their results stay as they are."""
    joined: list[Message] = []
    for message in messages:
        before = joined[-1] if joined else None
        if (
            before is not None
            and _is_plain(before)
            and _is_plain(message)
            and before["role"] == message["role"]
        ):
            joined[-1] = before | {"content": _with(before["content"], message["content"])}
        else:
            joined.append(message)
    return joined


def _with_system_in_front(messages: Sequence[Message]) -> list[Message]:
    """One system message, the first; later ones become what the user says at that place."""
    first, *rest = messages
    moved = [message | {"role": "user"} if message["role"] in INSTRUCTING else message for message in rest]
    return _joined([first, *moved])


def _without_system(messages: Sequence[Message]) -> list[Message]:
    return _joined(
        [message | {"role": "user"} if message["role"] in INSTRUCTING else message for message in messages]
    )


def _is_plain(message: Message) -> bool:
    return message["role"] != "tool" and not message.get("tool_calls")


def _with(before: str, text: str) -> str:
    return f"{before}{BETWEEN}{text}" if before and text else before + text
