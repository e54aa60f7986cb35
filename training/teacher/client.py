"""The teacher over OpenAI's API: each call paid for once, at the account's pace, within the cap."""

import asyncio
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import openai
from openai.types.chat import ChatCompletion

from steiner.training.teacher.config import TeachError, TeacherSettings
from steiner.training.teacher.journal import Journal, Reply, request_key
from steiner.training.teacher.pace import (
    REFUSES_ONE_REQUEST,
    Pace,
    Turn,
    doubled_wait_s,
    may_pass,
    told_wait_s,
)
from steiner.training.teacher.price import Purse, cost, prompt_tokens
from steiner.training.teacher.prompts import CallKind, Messages

KEPT = "What was paid for is kept: run the command again to go on."


class RefusedError(Exception):
    """The teacher does not answer this one request, such as one that its filter or its context refuses."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        number: which of several equal ones; it is sent as the seed, too.
    """

    kind: CallKind
    messages: Messages
    number: int


def request_body(settings: TeacherSettings, call: Call) -> dict[str, Any]:
    """All fields of the request."""
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": call.messages,
        settings.token_limit_field: settings.max_completion_tokens,
        **settings.extra_body,
    }
    if settings.send_seed:
        body["seed"] = call.number
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    return body


def open_client(settings: TeacherSettings) -> openai.AsyncOpenAI:
    """The official client; it does not retry, since each try has to keep the pace.

    Raises:
        TeachError: the environment variable of the key is not set.
    """
    # The client refuses to be made without any; requests leave the header out.
    key = "none"
    if settings.api_key_env is not None:
        key = os.environ.get(settings.api_key_env, "")
        if not key:
            raise TeachError(f"teacher.api_key_env: the variable {settings.api_key_env} is not set.")
    return openai.AsyncOpenAI(
        base_url=settings.base_url, api_key=key, timeout=settings.timeout_s, max_retries=0
    )


@dataclass(slots=True)
class Teacher:
    """Asks; what the journal has is not asked again.

    Once a call failed for good nothing new is sent, and what is under way is waited for: it is paid for anyway.

    Attributes:
        on_paid: called behind each answer that was paid for.
        num_retries: tries beyond the first, of all calls.
    """

    settings: TeacherSettings
    client: openai.AsyncOpenAI
    journal: Journal
    pace: Pace
    purse: Purse
    count: Callable[[str], int]
    on_paid: Callable[[], None] = lambda: None
    num_retries: int = 0
    _free: asyncio.Semaphore = field(init=False)
    _stopped: TeachError | None = None
    _refused: dict[str, str] = field(default_factory=dict)
    _jitter: random.Random = field(default_factory=random.Random)
    _of_equals: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _in_line: set[asyncio.Future[Turn]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.settings.concurrency)

    def stop(self, error: TeachError) -> None:
        """Send nothing new; who waits for a turn is told so at once."""
        self._stopped = self._stopped or error
        for waiting in self._in_line:
            waiting.cancel()

    async def ask(self, call: Call) -> Reply:
        """The answer, from the journal or the teacher.

        Raises:
            RefusedError: there is none for this request.
            TeachError: nor for any other: no key, no model, no credit, the cap, or the teacher is away.
        """
        body = request_body(self.settings, call)
        key = request_key(body, call.number)
        # Two questions may ask the same: the second takes what the first one paid for.
        async with self._of_equals.setdefault(key, asyncio.Lock()):
            if (kept := self.journal.get(key)) is not None:
                return kept
            if key in self._refused:
                raise RefusedError(self._refused[key])
            try:
                async with self._free:
                    return await self._pay(call, body, key)
            except RefusedError as error:
                self._refused[key] = str(error)
                raise
            except TeachError as error:
                self.stop(error)
                raise

    async def _pay(self, call: Call, body: dict[str, Any], key: str) -> Reply:
        num_prompt = prompt_tokens(self.count, [message["content"] for message in call.messages])
        most = cost(self.purse.price, num_prompt, self.settings.max_completion_tokens)
        if self._stopped is not None:
            raise self._stopped
        await self.purse.reserve(most)
        spent = 0.0
        try:
            completion = await self._send(body, num_prompt)
            reply = self._reply(call.kind, completion, num_prompt)
            spent = reply.cost
            self.journal.add(key, reply)
        finally:
            self.purse.settle(most, spent)
        self.on_paid()
        return reply

    async def _send(self, body: dict[str, Any], num_prompt: int) -> ChatCompletion:
        extra = self.settings.extra_body
        plain = {name: value for name, value in body.items() if name not in extra}
        headers = {"Authorization": openai.Omit()} if self.settings.api_key_env is None else {}
        tries = 0
        while True:
            turn = await self._turn(num_prompt + self.settings.max_completion_tokens)
            try:
                completion: Any = await self.client.chat.completions.create(
                    **plain, extra_body=extra, extra_headers=headers
                )
            except json.JSONDecodeError as error:
                raise self._no_completion() from error
            except openai.APIError as error:
                if not may_pass(error):
                    raise self._final(error) from error
                if tries == self.settings.max_retries:
                    raise TeachError(
                        f"{self.settings.base_url} failed {tries + 1} times in a row, at last with: {error.message}. "
                        f"{KEPT}"
                    ) from error
                if isinstance(error, openai.APIConnectionError) or getattr(error, "status_code", 0) < 500:
                    turn.num_tokens = 0
                self._back_off(error, tries)
                tries += 1
                self.num_retries += 1
            else:
                if not isinstance(completion, ChatCompletion) or not completion.choices:
                    raise self._no_completion()
                if completion.usage is not None:
                    turn.num_tokens = completion.usage.total_tokens
                return completion

    async def _turn(self, num_tokens: int) -> Turn:
        waiting = asyncio.ensure_future(self.pace.turn(num_tokens))
        self._in_line.add(waiting)
        try:
            turn = await waiting
        except asyncio.CancelledError:
            if self._stopped is None:
                raise
            raise self._stopped from None
        finally:
            self._in_line.discard(waiting)
        if self._stopped is not None:
            raise self._stopped
        return turn

    def _back_off(self, error: openai.APIError, tries: int) -> None:
        """A refusal for load is meant for all of us; the teacher's own word on how long outranks ours."""
        asked_s = told_wait_s(error)
        if asked_s is not None and asked_s > self.settings.max_wait_s:
            raise TeachError(
                f"{self.settings.base_url} asks to come back in {asked_s:.0f} seconds, and teacher.max_wait_s is "
                f"{self.settings.max_wait_s:g}: {error.message}. {KEPT}"
            ) from error
        self.pace.pause(doubled_wait_s(tries, self._jitter) if asked_s is None else asked_s)

    def _no_completion(self) -> TeachError:
        return TeachError(f"{self.settings.base_url} sent no chat completion; is it OpenAI-compatible?")

    def _final(self, error: openai.APIError) -> Exception:
        answered = any(total.calls for total in self.journal.spending.values())
        if getattr(error, "status_code", None) in REFUSES_ONE_REQUEST and answered:
            return RefusedError(error.message)
        return TeachError(f"{self.settings.base_url} refused: {error.message}")

    def _reply(self, kind: CallKind, completion: ChatCompletion, num_prompt: int) -> Reply:
        choice = completion.choices[0]
        content = choice.message.content or ""
        usage = completion.usage
        prompt = num_prompt if usage is None else usage.prompt_tokens
        completed = self.count(content) if usage is None else usage.completion_tokens
        return Reply(
            kind,
            content,
            (choice.message.model_extra or {}).get("reasoning_steps"),
            choice.finish_reason == "length",
            prompt,
            completed,
            cost(self.purse.price, prompt, completed),
        )
