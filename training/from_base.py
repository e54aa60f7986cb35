"""A base checkpoint made ready for the protocol: tokenizer, embedding rows and chat template."""

from dataclasses import dataclass

import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from steiner.reasoning.errors import SteinerError
from steiner.training.base_checkpoint import BaseCheckpoint
from steiner.training.special_tokens import add_special_tokens, initialise_rows
from steiner.training.tokenizer import CHAT_TEMPLATE, END_OF_TEXT, TURN_END

ROWS_MULTIPLE = 64
"""Embedding matrices that have to grow become a multiple of this, which is what matrix kernels like."""


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
    """The base with rows for the protocol's tokens, in the base's own precision if adapters are trained on it and else
    in float32.

    Args:
        weights: whether to read them; a process that gets its shards from another one does not.

    Raises:
        BaseError: it is out of reach, is no Qwen2, or is not what the recipe says.
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
    """A model whose weights are memory that was never touched, and so takes none."""
    with init_empty_weights():
        model = Qwen2ForCausalLM(config)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=dtype)))
    model.tie_weights()
    return model


def _make_room(model: Qwen2ForCausalLM, prepared: BaseTokenizer) -> None:
    """Grow the embeddings where the base has no spare rows; Qwen2.5's have hundreds."""
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
