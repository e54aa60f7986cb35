"""What an answer is made of, as in chat completions: log probabilities of its tokens, calls of tools.

https://platform.openai.com/docs/api-reference/chat/object
"""

from pydantic import BaseModel, ConfigDict, Field


class TokenLogprob(BaseModel):
    """One token and the natural logarithm of its probability.

    Attributes:
        token: its text alone; a part of a character is U+FFFD there.
        logprob: 0 at most; -9999 stands for a probability of nothing.
        bytes: of its text in UTF-8, parts of characters as they are: those of an answer's tokens join to its text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str
    logprob: float = Field(le=0)
    bytes: tuple[int, ...]


class AnswerToken(TokenLogprob):
    """A token of the answer, and the likeliest tokens in its place, the likeliest first."""

    top_logprobs: tuple[TokenLogprob, ...] = ()


class ToolCall(BaseModel):
    """One whole call.

    Attributes:
        id: by which the tool's result refers to it (`call_...`).
        name: of the function.
        arguments: JSON object, as the text that the model wrote.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    arguments: str
