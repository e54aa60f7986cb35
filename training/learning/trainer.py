"""Next-token training of a stage on a fixed batch plan, resumable to the step."""

import json
import math
import sys
from contextlib import nullcontext
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from steiner.training.config.devices import Devices
from steiner.training.config.files import write_whole
from steiner.training.config.recipe import Optimisation
from steiner.training.documents.token_file import Documents
from steiner.training.learning.batches import IGNORED, BatchPlan, Updates, plan_batches
from steiner.training.learning.optimizer import MuonWithAdamW, build_adamw
from steiner.training.model.processes import processes
from steiner.training.model.sharding import (
    ShardingTrainer,
    check_sharding,
    device_arguments,
    recompute_activations,
)

SAVE_SHARE = 0.05
LOGGED_STEPS = 50
ONE_DEVICE = Devices()


class PlannedTrainer(ShardingTrainer):
    """A `Trainer` whose updates come from a plan made before the first step.

    It differs from its parent in four ways, each for a reason:

    1. The data loader follows the plan, so that a resumed run skips exactly what was used, and gives each process its
       share of every update.
    2. A step is a whole update, with as many passes as it takes: their number changes from update to update.
    3. The loss is divided by the learned tokens of the whole update, over all passes and processes, so that neither
       decides how much a token counts.
    4. Logits are computed only after the shortest prompt of a pass. With a vocabulary wider than the model, the output
       layer is a large part of the cost.
    """

    optimizer: torch.optim.Optimizer | None

    def __init__(
        self, *, updates: Updates, stage: Optimisation, muon: bool, plan: BatchPlan, **kwargs: Any
    ) -> None:
        super().__init__(train_dataset=updates, **kwargs)
        self._updates = updates
        self._stage = stage
        self._muon = muon
        self._plan = plan

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        return DataLoader(self._updates, batch_size=1, collate_fn=itemgetter(0))

    def create_optimizer(self, model: PreTrainedModel | None = None) -> torch.optim.Optimizer:
        """Created from the whole weights, which may be sharded afterwards."""
        if self.optimizer is None:
            build = MuonWithAdamW if self._muon else build_adamw
            self.optimizer = build(model or self.model, self._stage.learning_rate, self._stage.weight_decay)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """`learning_rate_factor` over the plan."""
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer or self.optimizer, lambda step: learning_rate_factor(step, self._plan, self._stage)
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Operations of all passes of an update."""
        return sum(super(PlannedTrainer, self).floating_point_ops(one_pass) for one_pass in inputs["passes"])

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Forward and backward of every pass; returns the loss of the update, over all processes."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        total = torch.zeros((), device=self.args.device)
        passes = inputs["passes"]
        for number, one_pass in enumerate(passes, 1):
            # Sharded gradients are reduced at every pass: whole ones would not fit.
            alone = number < len(passes) and not self.is_fsdp_enabled
            with self.accelerator.no_sync(model) if alone else nullcontext():
                loss = self.compute_loss(model, one_pass, num_items_in_batch=inputs["num_targets"])
                # Gradients are averaged over the processes, but the loss is a sum over them.
                self.accelerator.backward(loss * self.args.world_size)
            total += loss.detach()
        reduced: Tensor = self.accelerator.reduce(total)
        return reduced

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Cross-entropy, in nats, summed over the learned tokens of the pass and divided by `num_items_in_batch`; the
        mean if that is not given."""
        targets = inputs["labels"][:, 1:]
        learned = (targets != IGNORED).any(dim=0)
        first = int(learned.nonzero()[0]) if learned.any() else targets.shape[1] - 1
        positions = torch.arange(first, targets.shape[1], device=targets.device)
        outputs = model(input_ids=inputs["input_ids"][:, :-1], logits_to_keep=positions, use_cache=False)
        loss = torch.nn.functional.cross_entropy(
            outputs.logits.flatten(0, 1).float(),
            targets[:, first:].flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        ) / (num_items_in_batch or (targets != IGNORED).sum())
        return (loss, outputs) if return_outputs else loss


def learning_rate_factor(step: int, plan: BatchPlan, stage: Optimisation) -> float:
    """Linear warm-up by steps, then constant, then a cosine over tokens down to `final_rate`."""
    warmup = min(1.0, (step + 1) / stage.warmup_steps) if stage.warmup_steps else 1.0
    progress = plan.progress[min(step, len(plan.progress) - 1)]
    if progress <= stage.decay_from or stage.decay_from >= 1.0:
        return warmup
    through = (progress - stage.decay_from) / (1.0 - stage.decay_from)
    return warmup * (stage.final_rate + (1.0 - stage.final_rate) * 0.5 * (1.0 + math.cos(math.pi * through)))


class JsonLinesLog(TrainerCallback):
    """Appends every logged record to a file, one JSON object a line; steps that a resumed run repeats occur once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero and self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            write_whole(self._path, "".join(f"{line}\n" for line in kept))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if not state.is_world_process_zero:
            return
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def train_stage(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: Documents,
    stage: Optimisation,
    folder: Path,
    seed: int,
    *,
    muon: bool = True,
    devices: Devices = ONE_DEVICE,
) -> PreTrainedModel:
    """Train the model, going on from the newest checkpoint in the folder if there is one.

    Args:
        muon: the optimizer of the blocks' matrices; AdamW if not.

    Returns:
        The model as it was trained: perhaps sharded, to be saved by all processes together.

    Raises:
        ShardingError: the checkpoint has divided weights and these processes whole ones, or the other way round.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_sharding(folder, devices)
    if devices.activation_checkpointing:
        recompute_activations(model)
    run = processes()
    plan = plan_batches(documents.lengths, stage, seed)
    num_steps = len(plan.batches)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=num_steps,
        learning_rate=stage.learning_rate,
        max_grad_norm=stage.max_gradient_norm,
        logging_steps=LOGGED_STEPS,
        save_steps=max(50, round(num_steps * SAVE_SHARE)),
        save_total_limit=2,
        seed=seed,
        # Checking every loss would wait for the device at every step.
        logging_nan_inf_filter=False,
        report_to=["tensorboard"],
        remove_unused_columns=False,
        disable_tqdm=not sys.stderr.isatty(),
        include_num_input_tokens_seen="no",
        **device_arguments(devices),
    )
    trainer = PlannedTrainer(
        updates=Updates(
            plan, documents, tokenizer.pad_token_id, run.rank, run.count, devices.micro_batch_tokens
        ),
        stage=stage,
        muon=muon,
        plan=plan,
        model=model,
        args=arguments,
        callbacks=[JsonLinesLog(folder / "log.jsonl")],
    )
    trainer.train(resume_from_checkpoint=newest_whole_checkpoint(folder))
    return trainer.model


def newest_whole_checkpoint(folder: Path) -> str | None:
    """The folder of the trainer's newest checkpoint that was written to its end, if there is one."""
    # The trainer writes its state last, so a folder without it was being written when the process was killed.
    whole = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")))) if whole else None
