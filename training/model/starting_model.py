"""The model that the first training stage starts from: a shape with fresh weights, or a base."""

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.recipe import ModelShape, Recipe
from steiner.training.model.adapters import with_adapters
from steiner.training.model.from_base import base_model, base_tokenizer
from steiner.training.model.sharding import ShardingError, is_sharded, reads_weights
from steiner.training.model.tokenizer import build_tokenizer, family_words
from steiner.training.model.wired_qwen2 import build_model


def tokenizer_of(recipe: Recipe) -> PreTrainedTokenizerFast:
    """The tokenizer of a run: the base's, or one with the words of every family in the recipe's languages.

    Raises:
        BaseError: the base is out of reach.
    """
    if isinstance(recipe.model, BaseCheckpoint):
        return base_tokenizer(recipe.model).tokenizer
    dialogues = any(data.dialogues for data in recipe.data.values())
    words = family_words(dialogues=dialogues, languages=recipe.languages)
    return build_tokenizer(words, recipe.model.max_positions)


def starting_model(recipe: Recipe) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A run's model and tokenizer before any training.

    Raises:
        BaseError: the base cannot be used.
        ShardingError: it cannot be divided with adapters.
    """
    if isinstance(recipe.model, ModelShape):
        tokenizer = tokenizer_of(recipe)
        return build_model(recipe.model, tokenizer, recipe.seed), tokenizer
    prepared = base_tokenizer(recipe.model)
    model = base_model(recipe.model, prepared, weights=reads_weights(recipe.devices))
    if (lora := recipe.model.lora) is not None:
        if model.config.tie_word_embeddings and is_sharded(recipe.devices):
            # PEFT wraps the embeddings to train rows of them, and accelerate cannot tie them again inside that wrapper.
            raise ShardingError(
                f"{recipe.model.base} ties its head to its embeddings, and such a base cannot be divided with "
                "model.lora: set devices.sharding to none, or train all weights."
            )
        rows = sorted(prepared.tokenizer.convert_tokens_to_ids(list(prepared.added)))
        model = with_adapters(model, lora, rows, recipe.seed, recipe.model.revision)
    return model, prepared.tokenizer
