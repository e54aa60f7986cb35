"""The checkpoint's tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


GENERIC_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")


class TokenizerError(Exception):
    """The checkpoint's tokenizer cannot be used; the message says what it lacks."""


def load_tokenizer(model: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a checkpoint folder or Hugging Face name.

    Raises:
        TokenizerError: there is none, it is not a fast one, or it has no chat template.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    try:
        # AutoTokenizer builds Qwen2's own tokenizer for every qwen2 checkpoint (transformers 5), also for
        # one that says its tokenizer.json is to be taken as it is.
        generic = get_tokenizer_config(model).get("tokenizer_class") in GENERIC_CLASSES
        loader = PreTrainedTokenizerFast if generic else AutoTokenizer
        tokenizer: PreTrainedTokenizerFast = loader.from_pretrained(
            model, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise TokenizerError(f"no tokenizer can be loaded from {model!r}: {error}") from error
    if not tokenizer.is_fast:
        raise TokenizerError(f"{model!r} has a slow tokenizer; a tokenizer.json is needed")
    if not tokenizer.chat_template:
        raise TokenizerError(f"{model!r} has no chat template; add chat_template.jinja to the checkpoint")
    return tokenizer
