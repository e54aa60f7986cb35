"""A stage on a fixed plan: the learning rate's shape, the loss, and a stop that changes nothing."""

import json
import math
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM, TrainingArguments

from steiner.training.config.recipe import ModelShape, Optimisation
from steiner.training.documents.encode import Document
from steiner.training.documents.token_file import Documents
from steiner.training.learning.batches import IGNORED, BatchPlan, Updates, plan_batches
from steiner.training.learning.trainer import PlannedTrainer, learning_rate_factor, train_stage
from steiner.training.model.wired_qwen2 import build_model

pytestmark = pytest.mark.slow

SHAPE = ModelShape(width=16, layers=1, heads=2, ffn_width=16, max_positions=128)
STAGE = Optimisation(tokens=4000, batch_tokens=(30, 30), warmup_steps=10, decay_from=0.3)


def documents() -> list[Document]:
    rng = random.Random(0)
    lengths = [rng.randint(8, 15) for _ in range(60)]
    return [Document([rng.randrange(500) for _ in range(n)], [False] * 3 + [True] * (n - 3)) for n in lengths]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """More threads add floats in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Killed(BaseException):
    """As if the process had gone."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    original = PlannedTrainer.compute_loss

    def until_killed(self: PlannedTrainer, *arguments: Any, **named: Any) -> Any:
        if self.state.global_step == step:
            raise Killed
        return original(self, *arguments, **named)

    monkeypatch.setattr(PlannedTrainer, "compute_loss", until_killed)


def trained(folder: Path, tokenizer: PreTrainedTokenizerFast, seed: int = 1) -> Qwen2ForCausalLM:
    model = build_model(SHAPE, tokenizer, seed)
    return train_stage(model, tokenizer, Documents(documents()), STAGE, folder, seed=1)


def same(one: Qwen2ForCausalLM, two: Qwen2ForCausalLM) -> bool:
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@pytest.fixture(scope="module")
def in_one_go(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast
) -> Qwen2ForCausalLM:
    torch.set_num_threads(1)
    return trained(tmp_path_factory.mktemp("whole"), tokenizer)


def test_training_lowers_the_loss(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    trained(tmp_path, tokenizer)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in log if "loss" in record]
    assert len(losses) >= 3
    assert losses[-1] < losses[0] - 0.3
    num_steps = len(plan_batches([len(d.token_ids) for d in documents()], STAGE, 1).batches)
    assert [record["step"] for record in log] == [*range(50, num_steps, 50), num_steps]
    assert len(list(tmp_path.glob("checkpoint-*"))) == 2


def test_a_stop_in_between_changes_no_bit(
    tmp_path: Path,
    tokenizer: PreTrainedTokenizerFast,
    in_one_go: Qwen2ForCausalLM,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for step in (70, 120):
        with monkeypatch.context() as patched:
            kill_at(patched, step)
            with pytest.raises(Killed):
                trained(tmp_path, tokenizer)
    # Whatever the fresh model starts from, the checkpoint is what counts.
    assert same(trained(tmp_path, tokenizer, seed=2), in_one_go)


def test_a_checkpoint_that_was_being_written_is_passed_over(
    tmp_path: Path,
    tokenizer: PreTrainedTokenizerFast,
    in_one_go: Qwen2ForCausalLM,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        kill_at(patched, 120)
        with pytest.raises(Killed):
            trained(tmp_path, tokenizer)
    newest = tmp_path / "checkpoint-100"
    (newest / "trainer_state.json").unlink()
    (newest / "optimizer.pt").unlink()
    assert same(trained(tmp_path, tokenizer), in_one_go)


def test_a_finished_stage_that_was_not_saved_is_not_trained_again(
    tmp_path: Path,
    tokenizer: PreTrainedTokenizerFast,
    in_one_go: Qwen2ForCausalLM,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained(tmp_path, tokenizer)
    kill_at(monkeypatch, 0)
    assert same(trained(tmp_path, tokenizer, seed=2), in_one_go)


def test_the_loss_is_the_mean_over_the_learned_tokens(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(SHAPE, tokenizer, 1)
    trainer = PlannedTrainer(
        updates=Updates(BatchPlan([[0]], [0.0]), Documents([]), pad_id=0),
        plan=BatchPlan([[0]], [0.0]),
        stage=STAGE,
        muon=True,
        model=model,
        args=TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[]),
    )
    input_ids = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])
    labels = torch.tensor([[IGNORED, IGNORED, 7, 8, 9], [IGNORED, IGNORED, 12, IGNORED, IGNORED]])
    loss = trainer.compute_loss(model, {"input_ids": input_ids, "labels": labels})
    with torch.no_grad():
        logs = model(input_ids).logits.log_softmax(dim=-1)
    picked = [logs[0, 1, 7], logs[0, 2, 8], logs[0, 3, 9], logs[1, 1, 12]]
    torch.testing.assert_close(loss.detach(), -torch.stack(picked).mean())


def plan_of(num_steps: int) -> BatchPlan:
    return BatchPlan([[0]] * num_steps, [step / num_steps for step in range(num_steps)])


def factors(stage: Optimisation, num_steps: int = 1000) -> list[float]:
    return [learning_rate_factor(step, plan_of(num_steps), stage) for step in range(num_steps)]


def test_the_rate_warms_up_by_steps_stays_and_falls_along_a_cosine() -> None:
    rates = factors(Optimisation(tokens=1, warmup_steps=100, decay_from=0.4, final_rate=0.1))
    assert rates[:100] == pytest.approx([(step + 1) / 100 for step in range(100)])
    assert set(rates[99:401]) == {1.0}
    assert all(before > after for before, after in pairwise(rates[400:]))
    assert rates[700] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates[-1] == pytest.approx(0.1, abs=1e-4)
    assert rates[550] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)))


def test_a_rate_may_do_without_warm_up_and_without_decay() -> None:
    assert set(factors(Optimisation(tokens=1, warmup_steps=0, decay_from=1.0))) == {1.0}
    falling = factors(Optimisation(tokens=1, warmup_steps=0, decay_from=0.0, final_rate=0.0))
    assert falling[0] == 1.0
    assert falling[-1] < 1e-4


def test_warm_up_and_decay_may_overlap() -> None:
    stage = Optimisation(tokens=1, warmup_steps=500, decay_from=0.0, final_rate=0.0)
    rates = factors(stage)
    assert max(rates) < 0.6
    assert rates[249] == pytest.approx(0.5 * 0.5 * (1 + math.cos(math.pi * 0.249)))


def test_the_scheduler_may_look_one_step_beyond_the_plan() -> None:
    stage = Optimisation(tokens=1, warmup_steps=0, decay_from=0.3)
    assert learning_rate_factor(10, plan_of(10), stage) == learning_rate_factor(9, plan_of(10), stage)
