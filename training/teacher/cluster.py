"""Which steps of a question say the same: agglomerative clustering of their embeddings (scikit-learn)."""

from collections.abc import Sequence

from steiner.training.teacher.config import Clusters
from steiner.training.teacher.embed import Embed


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
