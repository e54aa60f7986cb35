"""A base checkpoint made ready for the protocol: tokenizer, embedding rows and chat template.

Each special token is described in plain words: its new embedding row starts at the mean of the rows of those words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from steiner.reasoning.errors import SteinerError
from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.model.tokenizer import CHAT_TEMPLATE, END_OF_TEXT, TURN_END, TURN_START, special_tokens

_SECTIONS = {
    "understanding": "what is known so far",
    "next_step": "the next step",
    "verification": "a check of that step",
    "summary": "a short summary of the step",
}
DESCRIPTIONS = {
    END_OF_TEXT: "the end of the text",
    TURN_START: "the start of a message",
    TURN_END: "the end of a message",
    "<|reasoning_start|>": "start of the reasoning",
    "<|reasoning_end|>": "end of the reasoning, here is the answer",
    "<|reasoning_proceed|>": "go on to the next step",
    "<|reasoning_backtrack|>": "go back to an earlier step",
    "<|reasoning_step_start|>": "start of a step",
    "<|reasoning_step_end|>": "end of the step",
    "<|reasoning_verified|>": "this step is correct",
    "<|reasoning_refuted|>": "this step is wrong",
    **{f"<|reasoning_step_{name}_start|>": f"start of {text}" for name, text in _SECTIONS.items()},
    **{f"<|reasoning_step_{name}_end|>": f"end of {text}" for name, text in _SECTIONS.items()},
}

ROWS_MULTIPLE = 64
"""Embedding matrices that have to grow become a multiple of this, because matrix kernels run best with that."""


def add_special_tokens(tokenizer: PreTrainedTokenizerFast) -> tuple[str, ...]:
    """Give a tokenizer the turn markers and the protocol's tokens that it lacks; returns the new ones."""
    known = tokenizer.get_vocab()
    missing = tuple(token for token in special_tokens() if token not in known)
    tokenizer.add_special_tokens(
        {"extra_special_tokens": special_tokens()}, replace_extra_special_tokens=False
    )
    return missing


@torch.no_grad()
def initialise_rows(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tokens: Sequence[str]
) -> None:
    """Set the tokens' rows, and those of an untied head, to the mean of their description's rows.

    In the head the mean makes a token likely where the words of its description are likely.
    """
    embeddings = [model.get_input_embeddings(), model.get_output_embeddings()]
    words = {token: tokenizer.encode(f" {DESCRIPTIONS[token]}", add_special_tokens=False) for token in tokens}
    for weight in distinct_weights(embeddings):
        means = {token: weight[ids].float().mean(dim=0) for token, ids in words.items()}
        for token, mean in means.items():
            weight[tokenizer.convert_tokens_to_ids(token)] = mean.to(weight.dtype)


def distinct_weights(modules: Sequence[nn.Module]) -> list[torch.Tensor]:
    """Their weights; tied ones only once."""
    return list({id(module.weight): module.weight for module in modules}.values())


class BaseError(SteinerError):
    """The base cannot be used; the message says why, and what to do."""


class OutOfReachError(BaseError):
    """Neither the disk nor the hub gives the base."""


@dataclass(frozen=True, slots=True)
class BaseTokenizer:
    """A base's tokenizer with the protocol's tokens.

    Attributes:
        added: tokens that the base did not know; their embedding rows mean nothing yet.
    """

    tokenizer: PreTrainedTokenizerFast
    added: tuple[str, ...]


def base_config(base: BaseCheckpoint, *, local_files_only: bool = False) -> Qwen2Config:
    """The base's configuration.

    Raises:
        BaseError: it is out of reach, is no Qwen2, or is not what the recipe says.
    """
    try:
        config = AutoConfig.from_pretrained(
            base.base, revision=base.revision, local_files_only=local_files_only
        )
    except (OSError, ValueError) as error:
        raise _out_of_reach(base, error) from error
    if config.model_type != "qwen2":
        raise BaseError(
            f"model.base {base.base} is of type {config.model_type}; only qwen2 can be trained here."
        )
    for name, told in base.config.items():
        if (is_there := getattr(config, name, None)) != told:
            raise BaseError(
                f"model.config.{name} is {told}, but {base.base} has {is_there}: correct the recipe."
            )
    return config


def base_tokenizer(base: BaseCheckpoint) -> BaseTokenizer:
    """The base's tokenizer with the protocol's tokens and ChatML as its template.

    Raises:
        BaseError: it is out of reach.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.base, revision=base.revision)
    except (OSError, ValueError) as error:
        raise _out_of_reach(base, error) from error
    added = add_special_tokens(tokenizer)
    tokenizer.eos_token = TURN_END
    tokenizer.pad_token = END_OF_TEXT
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = base.max_positions
    return BaseTokenizer(tokenizer, added)


def base_model(base: BaseCheckpoint, prepared: BaseTokenizer, *, weights: bool = True) -> Qwen2ForCausalLM:
    """The base with rows for the protocol's tokens: in its own precision if adapters are trained on it, else in
    float32.

    Args:
        weights: whether to read them; a process that gets its shards from another one does not.

    Raises:
        BaseError: it is out of reach, is not a Qwen2, or is not what the recipe says.
    """
    config = base_config(base)
    dtype = torch.float32 if base.lora is None else config.dtype
    if not weights:
        model = shape_alone(config, dtype)
        _make_room(model, prepared)
        return model
    try:
        model = Qwen2ForCausalLM.from_pretrained(
            base.base, revision=base.revision, config=config, dtype=dtype
        )
    except (OSError, ValueError) as error:
        raise _out_of_reach(base, error) from error
    _make_room(model, prepared)
    initialise_rows(model, prepared.tokenizer, prepared.added)
    return model


def shape_alone(config: Qwen2Config, dtype: torch.dtype) -> Qwen2ForCausalLM:
    """A model whose weights are memory that is never touched, and so takes no space."""
    with init_empty_weights():
        model = Qwen2ForCausalLM(config)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=dtype)))
    model.tie_weights()
    return model


def _make_room(model: Qwen2ForCausalLM, prepared: BaseTokenizer) -> None:
    """Grow the embeddings if the base has no spare rows; Qwen2.5's have hundreds."""
    if len(prepared.tokenizer) > model.config.vocab_size:
        model.resize_token_embeddings(
            len(prepared.tokenizer), pad_to_multiple_of=ROWS_MULTIPLE, mean_resizing=False
        )
    model.config.eos_token_id = prepared.tokenizer.eos_token_id
    model.config.pad_token_id = prepared.tokenizer.pad_token_id


def _out_of_reach(base: BaseCheckpoint, error: Exception) -> OutOfReachError:
    reason = str(error).strip().splitlines()[0]
    return OutOfReachError(
        f"model.base {base.base!r} is no folder with a checkpoint, and the hub does not give it: {reason} "
        f"Download it where there is a network, with `hf download {base.base}`, or name a folder."
    )
