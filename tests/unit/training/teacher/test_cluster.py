"""Steps that say the same are one cluster, by the embeddings of a real sentence-transformers model."""

from pathlib import Path

import numpy as np
import pytest
from tests.bag_of_words import save_bag_of_words

from steiner.training.teacher.config import Clusters, Embeddings, TeachError
from steiner.training.teacher.embed import Embed, cluster_steps, load_embedding

WORDS = ["add", "three", "to", "four", "and", "we", "take", "away", "half", "of", "it"]


@pytest.fixture(scope="module")
def embed(tmp_path_factory: pytest.TempPathFactory) -> Embed:
    model = save_bag_of_words(tmp_path_factory.mktemp("embedding") / "model", WORDS)
    return load_embedding(Embeddings(model=model, batch_size=2))


def test_an_embedding_is_a_row_of_unit_length(embed: Embed) -> None:
    rows = embed(["add three to four", "four to three add", "take away half of it"])
    assert rows.shape == (3, len(WORDS) + 1)
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    assert rows[0] @ rows[1] == pytest.approx(1, abs=1e-6)
    assert rows[0] @ rows[2] == pytest.approx(0, abs=1e-6)


def test_the_same_words_in_another_order_are_one_cluster(embed: Embed) -> None:
    texts = ["add three to four", "take away half of it", "to four add three", "we take away half of it"]
    assert cluster_steps(texts, embed, Clusters()) == [0, 1, 0, 1]


def test_a_smaller_distance_makes_more_clusters(embed: Embed) -> None:
    texts = ["add three to four", "add three and four", "take half"]
    # Of four words three are shared: a cosine distance of a quarter.
    assert cluster_steps(texts, embed, Clusters(distance=0.3)) == [0, 0, 1]
    assert cluster_steps(texts, embed, Clusters(distance=0.2)) == [0, 1, 2]


def test_the_linkage_says_how_far_a_chain_reaches(embed: Embed) -> None:
    texts = ["add three to four", "add three to it", "add we to it", "and we to it"]
    assert cluster_steps(texts, embed, Clusters(distance=0.3, linkage="single")) == [0, 0, 0, 0]
    assert len(set(cluster_steps(texts, embed, Clusters(distance=0.3, linkage="complete")))) > 1


def test_few_texts_need_no_clustering(embed: Embed) -> None:
    def unused(_: object) -> object:
        raise AssertionError("nothing has to be embedded")

    assert cluster_steps([], unused, Clusters()) == []
    assert cluster_steps(["add", "add"], unused, Clusters()) == [0, 0]


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        TeachError, match=r"embeddings\.model: .*empty cannot be loaded: .*SentenceTransformer\.save"
    ):
        load_embedding(Embeddings(model=str(tmp_path / "empty")))
