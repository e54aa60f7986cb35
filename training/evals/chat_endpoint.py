"""Asking any OpenAI-compatible server: `POST /v1/chat/completions`, only the answer.

A model that was not trained on the task families is told how each is played and where its answer is looked for.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, cast

import httpx
import openai
from openai.types.chat import ChatCompletion

from steiner.reasoning import events
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.events import Event
from steiner.reasoning.tasks.base import NOT_FOUND

MAX_RETRIES = 5
TIMEOUT_S = 1800.0
UNKNOWN_FIELDS = ("reasoning", "top_k", "min_p", "repetition_penalty")
"""Fields of a request that OpenAI's API does not have; servers that know them accept them in the body."""

INSTRUCTIONS = {
    "countdown": (
        "Combine the given numbers with + - * / and parentheses so that they make the target. Use every number exactly "
        "once. Example: make 22 from 15 4 11. Answer: ( 15 + 11 ) - 4"
    ),
    "routes": (
        "The roads are one-way, each written as FROM > TO. Find a way from the start to the goal along them. The "
        "answer is the places in order, the start and the goal included, with single spaces between them. "
        "Example: roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern. Answer: Rome Oslo Bern"
    ),
    "knights": (
        "Knights always tell the truth, knaves always lie. The names of the people stand before the first colon, then "
        "what each of them says. 'knight X' and 'knave X' claim what X is; 'same X Y' that both are of one kind; "
        "'different X Y' that they are not; 'both X Y' that both are knights; 'neither X Y' that both are knaves; "
        "'either X Y' that one of them at least is a knight. The answer names everybody with the kind. "
        "Example: knights Ann Bob : Ann says knave Bob ; Bob says neither Ann Bob. Answer: Ann knight Bob knave"
    ),
}
"""How each family is played and answered, in English."""
FIRST_WORDS = {"make": "countdown", "roads": "routes", "knights": "knights"}
CLOSING = (
    f"If there is no solution, answer: {NOT_FOUND}. "
    "Think first if you like; the last line is the answer and nothing else."
)

Messages = Sequence[Mapping[str, Any]]


class EndpointError(SteinerError):
    """The server cannot be reached, or refused; the message is its own."""


class ChatEndpoint:
    """Asks one server, and yields what a plain completion has: answer, usage, how it ended."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        system: Callable[[str], str] | None = None,
        answer_in: Callable[[str], str] = str,
    ) -> None:
        """Name the server.

        Args:
            url: address with or without its `/v1`.
            api_key: sent as "none" if not given, which servers without keys accept.
            model: name of the model; the first of the server's list if not given.
            system: gives the system message for a prompt, if there should be one.
            answer_in: finds the answer in the text of a reply.
        """
        base_url = url.rstrip("/").removesuffix("/v1") + "/v1"
        self._settings: dict[str, Any] = {
            "base_url": base_url,
            "api_key": api_key or "none",
            "max_retries": MAX_RETRIES,
            "timeout": TIMEOUT_S,
        }
        # Read once: that takes longer than a short answer.
        self._certificates = httpx.create_ssl_context()
        self._model = model
        self._system = system
        self._answer_in = answer_in

    @property
    def model(self) -> str:
        """Name of the model that is asked.

        Raises:
            EndpointError: none was named, and the server does not list any.
        """
        if self._model is None:
            try:
                # This is the first request of all, so a missing server shows at once.
                with openai.OpenAI(**self._settings | {"max_retries": 1}) as client:
                    self._model = client.models.list().data[0].id
            except (openai.OpenAIError, IndexError) as error:
                raise EndpointError(
                    f"{self._settings['base_url']} lists no models ({error}); name one with --model."
                ) from error
        return self._model

    async def stream_async(self, prompt: str | Messages, **options: Any) -> AsyncIterator[Event]:
        """Ask once; yields `answer.done`, `usage` if the server counts, and `done`.

        Raises:
            EndpointError: the server cannot be reached, or refused.
        """
        extra = {name: options.pop(name) for name in UNKNOWN_FIELDS if name in options}
        try:
            # A connection pool belongs to an event loop, and an evaluation has one loop for each condition.
            http = openai.DefaultAsyncHttpxClient(verify=self._certificates)
            async with openai.AsyncOpenAI(**self._settings, http_client=http) as client:
                completion = await client.chat.completions.create(
                    model=self.model,
                    messages=cast(Any, self._messages(prompt)),
                    extra_body=extra or None,
                    **options,
                )
        except openai.OpenAIError as error:
            raise EndpointError(f"{self._settings['base_url']}: {' '.join(str(error).split())}") from error
        for event in self._events_of(completion):
            yield event

    def _messages(self, prompt: str | Messages) -> list[Mapping[str, Any]]:
        if not isinstance(prompt, str):
            return list(prompt)
        system = [] if self._system is None else [{"role": "system", "content": self._system(prompt)}]
        return [*system, {"role": "user", "content": prompt}]

    def _events_of(self, completion: ChatCompletion) -> list[Event]:
        choice = completion.choices[0]
        ended: Literal["stop", "length"] = "length" if choice.finish_reason == "length" else "stop"
        said: list[Event] = [
            events.AnswerDone(
                text=self._answer_in(choice.message.content or ""), num_tokens=0, finish_reason=ended
            )
        ]
        if (usage := completion.usage) is not None:
            details = usage.completion_tokens_details
            reasoning = (details.reasoning_tokens or 0) if details is not None else 0
            said.append(
                events.Usage(
                    prompt_tokens=usage.prompt_tokens,
                    completion_tokens=usage.completion_tokens,
                    reasoning_tokens=reasoning,
                    answer_tokens=usage.completion_tokens - reasoning,
                    forced_tokens=0,
                )
            )
        return [*said, events.Done(finish_reason=ended)]


def instructions_for(prompt: str) -> str:
    """The system message for a prompt of a family, in English; its first word tells which."""
    return f"{INSTRUCTIONS[FIRST_WORDS[prompt.split(maxsplit=1)[0]]]}\n{CLOSING}"


def answer_in(reply: str) -> str:
    """The last line that is not empty, without emphasis and without an announcing word."""
    lines = [line.strip(" \t*`$.") for line in reply.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    announced, colon, rest = last.partition(":")
    return (
        rest.strip(" *`$") if colon and announced.strip(" *").lower() in ("answer", "final answer") else last
    )
