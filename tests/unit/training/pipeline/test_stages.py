"""The whole pipeline on the smoke recipe: every stage, then nothing to do, then over again from a stage."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, Qwen2ForCausalLM

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Recipe, load_recipe
from steiner.training.data.fingerprint import ChangedRecipeError
from steiner.training.documents.encode import chat_prompt
from steiner.training.pipeline import stages
from steiner.training.pipeline.stages import CURVES, STAGES, StageError, run_pipeline, stage_model

pytestmark = pytest.mark.slow

SMOKE = Path(__file__).parents[4] / "training" / "recipes" / "smoke.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The smoke recipe, run to its end."""
    threads = torch.get_num_threads()
    recipe = load_recipe(SMOKE).model_copy(update={"output": tmp_path_factory.mktemp("smoke") / "run"})
    run_pipeline(recipe)
    yield recipe
    torch.set_num_threads(threads)


def steiner(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def written(recipe: Recipe, folder: Path) -> Path:
    """The recipe as a file."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    return path


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def losses(recipe: Recipe, stage: str) -> list[float]:
    lines = (recipe.output / stage / "log.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, lines) if "loss" in record]


def test_every_stage_leaves_a_checkpoint(finished: Recipe) -> None:
    for stage in ("cpt", "sft", "rl", "export"):
        assert (stage_model(finished, stage) / "model.safetensors").is_file()
    assert not list(finished.output.rglob("*.partial"))
    assert sorted(path.name for path in finished.output.iterdir()) == sorted([*STAGES, CURVES])


def test_the_export_is_ready_to_be_served(finished: Recipe) -> None:
    folder = stage_model(finished, "export")
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(model) is Qwen2ForCausalLM
    assert model.config.vocab_size == len(tokenizer)
    assert STEINER.bind(tokenizer).end_of_turn_id == GenerationConfig.from_pretrained(folder).eos_token_id
    prompt = chat_prompt("make 22 from 15 4 11", tokenizer)
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    assert model.generate(ids, max_new_tokens=5, do_sample=False).shape[1] > ids.shape[1]
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size < 25_000_000


def test_the_model_learned_something(finished: Recipe) -> None:
    first = json.loads((finished.output / "cpt/log.jsonl").read_text().splitlines()[-1])
    second = json.loads((finished.output / "sft/log.jsonl").read_text().splitlines()[-1])
    assert second["train_loss"] < first["train_loss"] - 0.5


def test_the_manifest_tells_of_every_stage(finished: Recipe) -> None:
    manifest = json.loads((stage_model(finished, "export") / "training.json").read_text())
    assert manifest["recipe"]["name"] == "smoke"
    assert set(manifest["data"]) == {"problems", "dags", "traces", "drills", "dialogues"}
    assert manifest["stages"]["cpt"]["train_loss"] > 0
    assert manifest["stages"]["sft"]["train_loss"] > 0
    assert finished.rl is not None
    assert manifest["stages"]["rl"]["step"] == finished.rl.steps


def test_a_second_run_does_nothing_and_says_so(finished: Recipe, tmp_path: Path) -> None:
    before = times(finished.output)
    done = steiner("train", written(finished, tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    said = done.stderr.splitlines()
    assert said[0] == "data: started"
    assert "  problems: 600 records" in said
    assert said[-4:] == [f"{stage}: done before" for stage in ("cpt", "sft", "rl", "export")]
    assert times(finished.output) == before


def test_a_changed_recipe_is_refused_with_the_stage_to_begin_from(finished: Recipe, tmp_path: Path) -> None:
    changed = finished.model_copy(update={"seed": 2})
    before = times(finished.output)
    refused = steiner("train", written(changed, tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "data was made from another recipe: seed was 1, is 2. `steiner train RECIPE --from data`" in (
        refused.stderr
    )
    # What comes before the stage to begin from has to be this recipe's, too.
    with pytest.raises(ChangedRecipeError, match="data was made from another recipe"):
        run_pipeline(changed, "export")
    assert times(finished.output) == before


def test_an_export_without_its_manifest_is_not_taken_for_done(
    finished: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(recipe: Recipe, folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stages, "write_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            run_pipeline(finished, "export")
    assert not stage_model(finished, "export").exists()
    run_pipeline(finished)
    assert (stage_model(finished, "export") / "training.json").is_file()


def test_a_run_from_a_stage_does_that_and_what_follows_again(
    finished: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times(finished.output)
    shorter = finished.model_copy(
        update={"sft": finished.sft.model_copy(update={"tokens": 6000}), "rl": None}
    )
    run_pipeline(shorter, "sft")
    after = times(finished.output)
    kept = {path for path in after if after[path] == before.get(path)}
    assert {path.relative_to(finished.output).parts[0] for path in kept} == {"data", "cpt"}
    assert {path.relative_to(finished.output).parts[0] for path in set(after) - kept} == {
        "sft",
        "rl",
        "export",
        CURVES,
    }
    # Without an rl stage the weights are those of sft; nothing is left of the earlier rl.
    manifest = json.loads((stage_model(finished, "export") / "training.json").read_text())
    assert manifest["recipe"]["sft"]["tokens"] == 6000
    assert manifest["stages"]["rl"] is None
    weights = [stage_model(finished, s) / "model.safetensors" for s in ("sft", "rl", "export")]
    assert len({path.read_bytes() for path in weights}) == 1
    said = capsys.readouterr().err
    assert "cpt: done before" in said
    assert all(f"{stage}: started" in said for stage in ("sft", "rl", "export"))


def test_an_unknown_stage_is_refused_before_anything_is_thrown_away(finished: Recipe) -> None:
    before = times(finished.output)
    with pytest.raises(
        StageError, match=r"Unknown stage 'pretrain'; the stages are data, cpt, sft, rl, export\."
    ):
        run_pipeline(finished, "pretrain")
    assert times(finished.output) == before


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, (), "none.yaml: No such file or directory."),
        ("name: x\nseed: 1\n", (), "output: Field required"),
        (SMOKE.read_text() + "speed: 3\n", (), "speed: Extra inputs are not permitted"),
        (SMOKE.read_text(), ("--from", "pretrain"), "Unknown stage 'pretrain'"),
    ],
    ids=["missing file", "missing field", "unknown field", "unknown stage"],
)
def test_what_is_known_to_go_wrong_is_told_without_a_stack_trace(
    tmp_path: Path, content: str | None, arguments: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "none.yaml"
    if content is not None:
        path.write_text(content)
    done = steiner("train", path, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("steiner: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    # One line, and one for each field where the recipe has wrong ones.
    _, *fields = done.stderr.splitlines()
    assert all(line.startswith("  ") for line in fields)
