"""What each special token means in plain words: new embedding rows start at the mean of the rows of their words."""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from steiner.training.tokenizer import END_OF_TEXT, TURN_END, TURN_START, special_tokens

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


def add_special_tokens(tokenizer: PreTrainedTokenizerFast) -> tuple[str, ...]:
    """Give a tokenizer the turn markers and the protocol's tokens that it lacks; returns these."""
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
    """Set the tokens' rows, those of a head of its own included, to the mean of their description's rows.

    Of the head it is the mean as well: what is likely where the words are likely.
    """
    embeddings = [model.get_input_embeddings(), model.get_output_embeddings()]
    words = {token: tokenizer.encode(f" {DESCRIPTIONS[token]}", add_special_tokens=False) for token in tokens}
    for weight in distinct_weights(embeddings):
        means = {token: weight[ids].float().mean(dim=0) for token, ids in words.items()}
        for token, mean in means.items():
            weight[tokenizer.convert_tokens_to_ids(token)] = mean.to(weight.dtype)


def distinct_weights(modules: Sequence[nn.Module]) -> list[torch.Tensor]:
    """Their weights, once where they are tied."""
    return list({id(module.weight): module.weight for module in modules}.values())
