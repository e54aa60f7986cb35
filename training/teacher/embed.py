"""Sentence embeddings, by a sentence-transformers model in a folder or on the hub."""

from collections.abc import Callable, Sequence
from typing import Any

from steiner.training.teacher.config import Embeddings, TeachError

Embed = Callable[[Sequence[str]], Any]
"""Texts as an array of shape (texts, dimensions) of unit length."""


def load_embedding(settings: Embeddings) -> Embed:
    """Load the model.

    Raises:
        TeachError: there is no such model, in a folder or on the hub.
    """
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(settings.model, device=settings.device)
    except (OSError, ValueError, RuntimeError) as error:
        raise TeachError(
            f"embeddings.model: {settings.model} cannot be loaded: {error}. "
            "Name a folder that SentenceTransformer.save wrote, or a model of the hub."
        ) from error

    def embed(texts: Sequence[str]) -> Any:
        return model.encode(
            list(texts),
            batch_size=settings.batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )

    return embed
