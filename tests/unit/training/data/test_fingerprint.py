"""A recipe that changed does not take earlier results for its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steiner.training.config.recipe import Recipe
from steiner.training.data.fingerprint import (
    FIELDS,
    WITHOUT_EFFECT,
    ChangedRecipeError,
    check_stage,
    claim_stage,
    fingerprint,
)
from steiner.training.data.shards import DataError
from steiner.training.data.teacher_runs import describe_teacher_runs
from steiner.training.data.writing import write_data
from steiner.training.pipeline.stages import STAGES, write_manifest

RecipeOf = Callable[..., Recipe]


def test_every_field_of_a_recipe_belongs_to_a_stage() -> None:
    assert tuple(FIELDS) == STAGES
    told = [field for fields in FIELDS.values() for field in fields]
    assert sorted([*told, *WITHOUT_EFFECT]) == sorted(Recipe.model_fields)


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"seed": 6}, "data"),
        ({"data": {"routes": {"problems": 9, "sizes": [{"size": 3}]}}}, "data"),
        ({"model": {"width": 32, "layers": 1, "heads": 2, "ffn_width": 16, "max_positions": 1024}}, "cpt"),
        ({"cpt": {"tokens": 10}}, "cpt"),
        ({"style": "forward"}, "data"),
        ({"languages": {"ja": 1.0}}, "data"),
        ({"sft": {"tokens": 10}}, "sft"),
        ({"rl": {"steps": 1}}, "rl"),
        ({"name": "other"}, "export"),
        ({"threads": 2}, None),
        ({"devices": {"gpus": 8, "sharding": "none", "activation_checkpointing": True}}, None),
    ],
)
def test_a_change_counts_from_the_stage_that_reads_it(
    recipe_of: RecipeOf, changes: dict[str, Any], first: str | None
) -> None:
    recipe, changed = recipe_of(), recipe_of(**changes)
    differ = [stage for stage in STAGES if fingerprint(recipe, stage) != fingerprint(changed, stage)]
    assert differ == list(STAGES[STAGES.index(first) :] if first else [])


def test_a_teachers_run_counts_by_what_it_wrote_and_not_by_where_it_lies(
    recipe_of: RecipeOf, write_teacher_run: Callable[..., Path], teacher_trace: Callable[..., Any]
) -> None:
    first, second = (
        write_teacher_run("a", [teacher_trace()]),
        write_teacher_run("b", [teacher_trace(id="q2-0")]),
    )
    recipe = recipe_of(teacher_runs=[first])
    claim_stage(recipe, "cpt")
    moved = first.rename(first.with_name("moved"))
    check_stage(recipe_of(teacher_runs=[moved]), "cpt")
    for runs in ([second], [moved, second], []):
        changed = recipe_of(teacher_runs=runs)
        assert fingerprint(changed, "data") == fingerprint(recipe_of(), "data")
        with pytest.raises(ChangedRecipeError, match=r"recipe: teacher_runs was "):
            check_stage(changed, "cpt")
    with pytest.raises(DataError, match="holds no finished run"):
        check_stage(recipe, "cpt")


def test_results_older_than_teachers_are_those_of_a_recipe_without(recipe_of: RecipeOf) -> None:
    assert "teacher_runs" not in fingerprint(recipe_of(), "export")


def test_how_rollouts_are_computed_decides_nothing(recipe_of: RecipeOf) -> None:
    rl = {"steps": 1, "problems_per_step": 4, "samples_per_problem": 4}
    claim_stage(recipe_of(rl=rl), "rl")
    check_stage(
        recipe_of(rl=rl | {"rollouts_per_pass": 2, "save_every": 3, "rollouts": {"concurrent": 4}}), "rl"
    )
    with pytest.raises(ChangedRecipeError, match=r"rl\.samples_per_problem was 4, is 8\. "):
        check_stage(recipe_of(rl=rl | {"samples_per_problem": 8}), "rl")


def test_results_from_when_it_was_told_how_rollouts_are_computed_are_kept(recipe_of: RecipeOf) -> None:
    rl = {"steps": 1, "problems_per_step": 4, "samples_per_problem": 4}
    recipe = recipe_of(rl=rl)
    claim_stage(recipe, "rl")
    recorded = recipe.output / "rl" / "made_from.json"
    older = json.loads(recorded.read_text())
    older["rl"]["rollouts_per_pass"] = 1
    recorded.write_text(json.dumps(older))
    check_stage(recipe, "rl")


def test_a_claimed_stage_is_its_recipes(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    claim_stage(recipe, "sft")
    check_stage(recipe, "sft")
    claim_stage(recipe, "sft")
    changed = recipe_of(sft={"tokens": 2000, "cut": 0.5}, seed=9)
    for refused in (check_stage, claim_stage):
        with pytest.raises(ChangedRecipeError) as error:
            refused(changed, "sft")
        assert str(error.value) == (
            f"{recipe.output}/sft was made from another recipe: seed was 5, is 9; sft.tokens was 1000, is 2000; "
            "sft.cut was 0.15, is 0.5. `steiner train RECIPE --from sft` throws it away and makes it again, "
            "and all later stages; to keep it, name another `output` in the recipe."
        )
    check_stage(recipe, "sft")


def test_results_from_before_a_field_came_are_those_of_its_default(recipe_of: RecipeOf) -> None:
    cpt = {"tokens": 10, "optimizer": "muon"}
    recipe = recipe_of(cpt=cpt)
    claim_stage(recipe, "cpt")
    recorded = recipe.output / "cpt" / "made_from.json"
    older = json.loads(recorded.read_text())
    del older["cpt"]["text"], older["cpt"]["drill_share"], older["cpt"]["optimizer"]
    recorded.write_text(json.dumps(older))
    check_stage(recipe_of(cpt=cpt | {"optimizer": None}), "cpt")
    with pytest.raises(ChangedRecipeError, match=r"cpt\.drill_share was 0\.35, is 0\.5\. "):
        check_stage(recipe_of(cpt={"tokens": 10, "drill_share": 0.5}), "cpt")
    with pytest.raises(ChangedRecipeError, match=r'cpt\.optimizer was not set, is "muon"\. '):
        check_stage(recipe, "cpt")


def test_results_by_rules_that_no_longer_hold_are_told_apart_field_by_field(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    claim_stage(recipe, "sft")
    recorded = recipe.output / "sft" / "made_from.json"
    older = json.loads(recorded.read_text())
    older["sft"]["momentum"] = 0.9
    recorded.write_text(json.dumps(older))
    with pytest.raises(ChangedRecipeError, match=r"recipe: sft\.momentum was 0\.9, is not set\. "):
        check_stage(recipe, "sft")


def test_a_section_that_came_or_went_is_named_and_not_listed(recipe_of: RecipeOf) -> None:
    claim_stage(recipe_of(), "rl")
    with pytest.raises(ChangedRecipeError, match=r"recipe: rl was not set, is set\. "):
        check_stage(recipe_of(rl={"steps": 1}), "rl")


def test_many_differences_are_counted(recipe_of: RecipeOf) -> None:
    claim_stage(recipe_of(), "cpt")
    other = {"width": 32, "layers": 2, "heads": 4, "ffn_width": 32, "max_positions": 512}
    with pytest.raises(ChangedRecipeError, match=r"model\.width was 16, is 32; .*; 1 more\. "):
        check_stage(recipe_of(model=other, seed=6), "cpt")


def test_results_of_nobody_are_refused_and_an_empty_folder_is_not(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    check_stage(recipe, "cpt")
    folder = recipe.output / "cpt"
    folder.mkdir(parents=True)
    check_stage(recipe, "cpt")
    (folder / "log.jsonl").touch()
    with pytest.raises(ChangedRecipeError, match=r"cpt does not say which recipe .* --from cpt"):
        check_stage(recipe, "cpt")


def test_an_export_is_known_by_its_manifest(recipe_of: RecipeOf, tmp_path: Path) -> None:
    recipe = recipe_of()
    folder = recipe.output / "export"
    folder.mkdir(parents=True)
    manifest = {"recipe": recipe.model_dump(mode="json", exclude={"output"})}
    (folder / "training.json").write_text(json.dumps(manifest))
    check_stage(recipe, "export")
    check_stage(recipe_of(threads=7), "export")
    with pytest.raises(ChangedRecipeError, match=r'export was made .*: name was "test", is "other"\. '):
        check_stage(recipe_of(name="other"), "export")


def test_an_export_tells_which_teachers_it_had(
    recipe_of: RecipeOf, write_teacher_run: Callable[..., Path], teacher_trace: Callable[..., Any]
) -> None:
    recipe = recipe_of(teacher_runs=[write_teacher_run("a", [teacher_trace()])])
    write_data(recipe)
    folder = recipe.output / "export"
    folder.mkdir()
    write_manifest(recipe, folder)
    text = (folder / "training.json").read_text()
    assert json.loads(text)["teacher_runs"] == describe_teacher_runs(recipe.teacher_runs)
    assert str(recipe.output.parent) not in text
    check_stage(recipe, "export")
    with pytest.raises(ChangedRecipeError, match=r"teacher_runs was .* is not set"):
        check_stage(recipe_of(), "export")
