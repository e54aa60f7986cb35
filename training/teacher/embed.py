"""Which steps of a question say the same: sentence embeddings, clustered.

The embeddings come from a sentence-transformers model in a folder or on the hub; the clusters are agglomerative
(scikit-learn).
"""

from collections.abc import Callable, Sequence
from typing import Any

from steiner.training.teacher.config import Clusters, Embeddings, TeachError

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


def cluster_steps(texts: Sequence[str], embed: Embed, settings: Clusters) -> list[int]:
    """A cluster number for each text, 0 for the first text's and then in the order of first appearance.

    Equal texts share a cluster whatever the embedding does. Two clusters are joined while their cosine distance is
    below `settings.distance`.
    """
    distinct = list(dict.fromkeys(texts))
    labels = dict.fromkeys(distinct, 0)
    if len(distinct) > 1:
        # It takes seconds to load, and what a run costs is known without it.
        from sklearn.cluster import AgglomerativeClustering

        model = AgglomerativeClustering(
            n_clusters=None, distance_threshold=settings.distance, metric="cosine", linkage=settings.linkage
        )
        labels = dict(zip(distinct, map(int, model.fit_predict(embed(distinct))), strict=True))
    order: dict[int, int] = {}
    return [order.setdefault(labels[text], len(order)) for text in texts]
