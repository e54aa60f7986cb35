"""Fields of OpenAI's and vLLM's requests that are not offered here, each with the reason.

They are refused by name, unless the value asks for what happens anyway. Those at the top of a body of the Responses API
are in `server/api/responses/not_offered.py`, and kinds of content parts are in `content_parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class NotOffered:
    """Why a parameter is refused, and the values that ask for nothing."""

    reason: str
    harmless: tuple[object, ...] = ()


TEXT_ONLY = "this server answers with text"
OWN_PROMPT = "the prompt is the model's own chat template over the messages"

NOT_OFFERED: dict[str, NotOffered] = {
    # OpenAI's.
    "audio": NotOffered(TEXT_ONLY),
    "function_call": NotOffered("it is the older form of tool_choice; send that", ("none", "auto")),
    "functions": NotOffered("it is the older form of tools; send those"),
    "modalities": NotOffered(f"{TEXT_ONLY}; leave it out or send ['text']", (["text"],)),
    "moderation": NotOffered("nothing is moderated here"),
    "prediction": NotOffered("predicted outputs are not offered"),
    "prompt_cache_options": NotOffered("the prompt cache has no options; what is shared is found by itself"),
    "prompt_cache_retention": NotOffered("the prompt cache keeps what fits into memory", ("in_memory",)),
    "verbosity": NotOffered("ask for a short or a long answer in a message instead", ("medium",)),
    "web_search_options": NotOffered("web search is not offered"),
    # vLLM's.
    "add_generation_prompt": NotOffered("an answer is always a turn of its own", (True,)),
    "add_special_tokens": NotOffered("the chat template writes every special token", (False,)),
    "allowed_token_ids": NotOffered(
        "the reasoning's tokens are its protocol's; send response_format instead"
    ),
    "bad_words": NotOffered("words cannot be banned; send logit_bias instead"),
    "best_of": NotOffered("send n and choose", (1,)),
    "cache_salt": NotOffered("the prefix cache is not salted"),
    "chat_template": NotOffered(OWN_PROMPT),
    "chat_template_kwargs": NotOffered(f"{OWN_PROMPT}; send reasoning_effort 'none' to answer at once"),
    "continue_final_message": NotOffered("an answer is always a turn of its own", (False,)),
    "documents": NotOffered(f"{OWN_PROMPT}; put the documents into a message"),
    "ec_transfer_params": NotOffered("caches are not transferred"),
    "echo": NotOffered("the answer does not repeat the messages", (False,)),
    "ignore_eos": NotOffered("the answer ends with the model's end of turn", (False,)),
    **{
        f"guided_{what}": NotOffered("it is the older form of response_format; send that")
        for what in ("choice", "decoding_backend", "grammar", "json", "regex", "whitespace_pattern")
    },
    "include_reasoning": NotOffered(
        "the reasoning is always part of the answer; ignore it there, or send reasoning_effort 'none'",
        (True,),
    ),
    "kv_transfer_params": NotOffered("caches are not transferred"),
    "length_penalty": NotOffered("it belongs to beam search, which is not offered", (1, 1.0)),
    "logprob_token_ids": NotOffered("send top_logprobs instead"),
    "media_io_kwargs": NotOffered("messages are text"),
    "min_tokens": NotOffered(
        "the end of turn may be the only legal token; send reasoning.min_steps for more reasoning", (0,)
    ),
    "mm_payload": NotOffered("messages are text"),
    "mm_processor_kwargs": NotOffered("messages are text"),
    "priority": NotOffered("requests are served in the order of arrival", (0,)),
    "prompt_logprobs": NotOffered("log probabilities are given of the answer alone"),
    "repetition_detection": NotOffered(
        "send reasoning.refute_repeats, which refutes steps that repeat others"
    ),
    "request_id": NotOffered("send the header X-Request-Id instead"),
    "return_mm_kwargs": NotOffered("messages are text", (False,)),
    "return_prompt_text": NotOffered("the prompt is not sent back", (False,)),
    "return_token_ids": NotOffered("send logprobs, which names each token of the answer", (False,)),
    "return_token_offsets": NotOffered("the prompt is not sent back", (False,)),
    "return_tokens_as_token_ids": NotOffered("logprobs give each token's text and bytes", (False,)),
    "routed_experts_prompt_start": NotOffered("routed experts are not sent back", (0,)),
    "session_id": NotOffered("send prompt_cache_key instead"),
    "skip_special_tokens": NotOffered("special tokens are never text of an answer", (True,)),
    "spaces_between_special_tokens": NotOffered("special tokens are never text of an answer", (True,)),
    "stream_interval": NotOffered("a stream has one piece for each update of the engine", (1,)),
    "structured_outputs": NotOffered("send response_format instead"),
    "thinking_token_budget": NotOffered("send reasoning.max_reasoning_tokens instead"),
    "truncate_prompt_tokens": NotOffered("a prompt that is too long is refused; shorten the messages"),
    "truncation_side": NotOffered("a prompt that is too long is refused; shorten the messages"),
    "use_beam_search": NotOffered("beam search is not offered", (False,)),
    "vllm_xargs": NotOffered("extensions of the engine are not offered"),
    "watermarking": NotOffered("answers are not watermarked", (False,)),
}


CACHE_BREAKPOINT = NotOffered("the prefix cache finds by itself what prompts share; leave it out")
DEFERRED = NotOffered("tools are in the prompt from the start; leave it out", (False,))
NOT_OFFERED_IN: dict[str, dict[str, NotOffered]] = {
    # Messages and items, and their parts. `cache_control` is Anthropic's name, which LiteLLM passes on.
    "Message": {
        "tools": NotOffered("send tools at the top of the body"),
        "task": NotOffered("the model's chat template knows no tasks"),
    },
    "TextPart": {"prompt_cache_breakpoint": CACHE_BREAKPOINT, "cache_control": CACHE_BREAKPOINT},
    "TextContent": {"prompt_cache_breakpoint": CACHE_BREAKPOINT, "cache_control": CACHE_BREAKPOINT},
    "OutputText": {"prompt_cache_breakpoint": CACHE_BREAKPOINT, "cache_control": CACHE_BREAKPOINT},
    # Tools.
    "FunctionTool": {"defer_loading": DEFERRED, "cache_control": CACHE_BREAKPOINT},
    "FunctionDefinition": {"defer_loading": DEFERRED},
    "ResponseFunctionTool": {
        "allowed_callers": NotOffered("the answer alone calls tools; leave it out", (["direct"],)),
        "async": NotOffered("the caller runs the tools itself; leave it out", (False,)),
        "cache_control": CACHE_BREAKPOINT,
        "defer_loading": DEFERRED,
        "output_schema": NotOffered("what a function returns is not checked; say it in its description"),
    },
}
"""The same of objects within a body, by the name of their class."""

WITHOUT_EFFECT_IN: dict[str, frozenset[str]] = {
    "FunctionCallItem": frozenset({"async", "caller", "namespace"}),
    "FunctionCallOutputItem": frozenset({"caller", "name", "namespace"}),
}
"""What comes back with an item and means nothing to the model, by the name of its class."""


def without_what_is_not_offered(data: Any, not_offered: Mapping[str, NotOffered] = NOT_OFFERED) -> Any:
    """A body without the parameters that are not offered, null, empty and harmless ones.

    Args:
        data: the body.
        not_offered: the dialect's.

    Raises:
        PydanticCustomError: one asks for something; the error names it.
    """
    if not isinstance(data, dict):
        return data
    for name, refused in not_offered.items():
        value = data.get(name)
        if value in (None, [], {}) or any(
            type(value) is type(one) and value == one for one in refused.harmless
        ):
            continue
        raise PydanticCustomError(
            "not_offered", "{field}: {reason}", {"field": name, "reason": refused.reason}
        )
    return {name: value for name, value in data.items() if name not in not_offered}
