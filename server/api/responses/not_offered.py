"""Parameters of OpenAI's and vLLM's Responses API that are not offered here, each with the reason."""

from __future__ import annotations

from steiner.server.intake.not_offered import NOT_OFFERED, TEXT_ONLY, NotOffered

RESPONSES_NOT_OFFERED: dict[str, NotOffered] = {
    # OpenAI's.
    "access_programs": NotOffered("access programs are OpenAI's own"),
    "background_options": NotOffered("a background response starts as soon as it can; leave them out"),
    "context_management": NotOffered(
        "contexts are not compacted; reasoning.memory folds abandoned branches while a model reasons"
    ),
    "conversation": NotOffered("conversations are not kept; send previous_response_id"),
    "image": NotOffered(TEXT_ONLY),
    "max_tool_calls": NotOffered("it limits built-in tools, and there are none"),
    "moderation": NOT_OFFERED["moderation"],
    "prompt": NotOffered("prompt templates are not kept; send instructions and input"),
    "prompt_cache_options": NOT_OFFERED["prompt_cache_options"],
    "prompt_cache_retention": NOT_OFFERED["prompt_cache_retention"],
    # Those of chat completions that have another name here.
    "max_completion_tokens": NotOffered("send max_output_tokens instead"),
    "max_tokens": NotOffered("send max_output_tokens instead"),
    "messages": NotOffered("send input instead"),
    "n": NotOffered("a request makes one response; send it again for more", (1,)),
    "reasoning_effort": NotOffered("send reasoning.effort instead"),
    "response_format": NotOffered("send text.format instead"),
    "logprobs": NotOffered("send include ['message.output_text.logprobs'] instead", (False,)),
    # vLLM's.
    "enable_response_messages": NotOffered("the prompt is not sent back", (False,)),
    "previous_input_messages": NotOffered("send earlier turns in input, or previous_response_id"),
    "structured_outputs": NotOffered("send text.format instead"),
    **{
        name: NOT_OFFERED[name]
        for name in (
            "cache_salt",
            "chat_template_kwargs",
            "ec_transfer_params",
            "ignore_eos",
            "include_reasoning",
            "kv_transfer_params",
            "media_io_kwargs",
            "mm_payload",
            "mm_processor_kwargs",
            "priority",
            "request_id",
            "return_mm_kwargs",
            "session_id",
            "skip_special_tokens",
            "vllm_xargs",
            "watermarking",
        )
    },
}
"""Refused by name, unless the value given is what happens anyway."""

OUTPUT_LOGPROBS = "message.output_text.logprobs"
SEALED_REASONING = "reasoning.encrypted_content"
INCLUDED = (OUTPUT_LOGPROBS, SEALED_REASONING)

NOT_INCLUDED: dict[str, str] = {
    "message.input_image.image_url": "this server reads text",
    **dict.fromkeys(
        (
            "code_interpreter_call.outputs",
            "computer_call_output.output.image_url",
            "file_search_call.results",
            "web_search_call.action.sources",
            "web_search_call.results",
        ),
        "there are no built-in tools",
    ),
}
"""What `include` may name with OpenAI and not here."""


def refuse_to_include(include: list[str] | None) -> list[str] | None:
    """Raises ValueError if anything is named but what can be included."""
    for name in include or ():
        if name not in INCLUDED:
            raise ValueError(f"{name!r} cannot be included: {NOT_INCLUDED.get(name, 'it is unknown')}")
    return include
