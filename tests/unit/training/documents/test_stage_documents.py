"""What a stage trains on: sources in their shares, written once, and told apart before the data are made."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.tiny_base import write_base

from steiner.training.config.recipe import PretrainingStage, Recipe
from steiner.training.data.shards import DataError
from steiner.training.data.writing import write_data
from steiner.training.documents.encode import Document
from steiner.training.documents.stage_documents import (
    check_sources,
    finetuning_documents,
    pretraining_documents,
)
from steiner.training.documents.token_file import Documents
from steiner.training.model.from_base import BaseError
from steiner.training.model.starting_model import tokenizer_of

RecipeOf = Callable[..., Recipe]
DATA = {"countdown": {"problems": 30, "sizes": [{"size": 3}], "drills": 20, "dialogues": 2}}


@pytest.fixture
def said() -> Console:
    return Console(file=StringIO(), width=200)


def read(documents: Documents) -> list[Document]:
    return [documents[index] for index in range(len(documents))]


def text_file(folder: Path) -> Path:
    path = folder / "text.txt"
    path.write_text("what is known so far " * 50, encoding="utf-8")
    return path


def test_ordinary_text_has_its_share_and_nothing_is_encoded_twice(
    recipe_of: RecipeOf, tmp_path: Path, said: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {"files": [str(text_file(tmp_path))], "share": 0.4}
    recipe = recipe_of(data=DATA, cpt={"tokens": 30_000, "text": text})
    write_data(recipe, 1)
    tokenizer, folder = tokenizer_of(recipe), tmp_path / "documents"
    assert isinstance(recipe.cpt, PretrainingStage)
    documents = pretraining_documents(recipe, recipe.cpt, tokenizer, folder, said)
    known = tokenizer.encode("what is known", add_special_tokens=False)
    ordinary = sum(len(d.token_ids) for d in read(documents) if d.token_ids[:3] == known[:3])
    assert ordinary / sum(documents.lengths) == pytest.approx(0.4, abs=0.05)
    assert sum(documents.lengths) == pytest.approx(30_000, rel=0.1)
    assert {path.name for path in folder.iterdir()} == {"traces", "drills", "text"}

    monkeypatch.setattr("steiner.training.documents.stage_documents.encode_all", None)
    again = pretraining_documents(recipe, recipe.cpt, tokenizer, folder, said)
    assert read(again) == read(documents)


def test_without_ordinary_text_all_traces_come_once(
    recipe_of: RecipeOf, tmp_path: Path, said: Console
) -> None:
    recipe = recipe_of(data=DATA, cpt={"tokens": 30_000, "drill_share": 0.0})
    counts = write_data(recipe, 1)
    assert isinstance(recipe.cpt, PretrainingStage)
    documents = pretraining_documents(recipe, recipe.cpt, tokenizer_of(recipe), tmp_path / "documents", said)
    assert len(documents) == counts["traces"]


def test_what_a_base_has_no_room_for_is_left_out_and_counted(
    recipe_of: RecipeOf, tmp_path: Path, said: Console
) -> None:
    base = {"base": str(write_base(tmp_path / "base")), "max_positions": 300}
    recipe = recipe_of(data=DATA, model=base)
    counts = write_data(recipe, 1)
    documents = finetuning_documents(recipe, tokenizer_of(recipe), tmp_path / "documents", said)
    kept = len(documents)
    assert 0 < kept < counts["traces"] + counts["dialogues"]
    assert max(documents.lengths) <= 300
    assert isinstance(said.file, StringIO)
    assert f"chats: {counts['traces'] + counts['dialogues'] - kept} documents are longer than 300" in (
        said.file.getvalue()
    )


def test_sources_that_are_not_there_are_told_at_once(
    recipe_of: RecipeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    missing = {"files": [str(text_file(tmp_path)), str(tmp_path / "none.txt")], "share": 0.4}
    with pytest.raises(DataError, match=rf"cpt\.text\.files: no such file: {tmp_path}/none\.txt\."):
        check_sources(recipe_of(cpt={"tokens": 9, "text": missing}))
    with pytest.raises(BaseError, match="'nobody/nothing' is no folder"):
        check_sources(recipe_of(model={"base": "nobody/nothing", "max_positions": 9}))
    check_sources(recipe_of(cpt={"tokens": 9}))
