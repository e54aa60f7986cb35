"""Next-token training of a stage on a fixed batch plan, resumable to the step."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from steiner.training.batches import IGNORED, BatchPlan, Documents, PlannedSampler, collate, plan_batches
from steiner.training.config import Optimisation
from steiner.training.encode import Document
from steiner.training.optimizer import MuonWithAdamW

SAVE_SHARE = 0.05
LOGGED_STEPS = 50


class PlannedTrainer(Trainer):
    """A `Trainer` whose batches come from a plan made before the first step.

    It differs from its parent in two ways, each for a reason:

    1. The data loader follows the plan, so that a resumed run skips exactly what was used.
    2. The loss computes logits only behind the shortest prompt of the batch; with a vocabulary wider than the model the
       output layer is a large part of the cost.
    """

    def __init__(self, *, plan: BatchPlan, documents: Documents, pad_id: int, **kwargs: Any) -> None:
        super().__init__(train_dataset=documents, **kwargs)
        self._plan = plan
        self._documents = documents
        self._pad_id = pad_id

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return DataLoader(
            self._documents,
            batch_sampler=PlannedSampler(self._plan),
            collate_fn=lambda documents: collate(documents, self._pad_id),
        )

    def compute_loss(
        self,
        model: PreTrainedModel,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean cross-entropy over the learned tokens of the batch, in nats."""
        targets = inputs["labels"][:, 1:]
        first = int((targets != IGNORED).any(dim=0).nonzero()[0])
        positions = torch.arange(first, targets.shape[1], device=targets.device)
        outputs = model(input_ids=inputs["input_ids"][:, :-1], logits_to_keep=positions, use_cache=False)
        loss = torch.nn.functional.cross_entropy(
            outputs.logits.flatten(0, 1).float(), targets[:, first:].flatten(), ignore_index=IGNORED
        )
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
    """Appends every logged record to a file, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def train_stage(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[Document],
    stage: Optimisation,
    folder: Path,
    seed: int,
) -> None:
    """Train the model in place, going on from the newest checkpoint in the folder if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_batches([len(document.token_ids) for document in documents], stage, seed)
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
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        # The look at every loss would wait for the device at every step.
        logging_nan_inf_filter=False,
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=not sys.stderr.isatty(),
        include_num_input_tokens_seen="no",
    )
    optimizer = MuonWithAdamW(model, stage.learning_rate, stage.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, plan, stage)
    )
    trainer = PlannedTrainer(
        plan=plan,
        documents=Documents(documents),
        pad_id=tokenizer.pad_token_id,
        model=model,
        args=arguments,
        optimizers=(optimizer, schedule),
        callbacks=[JsonLinesLog(folder / "log.jsonl")],
    )
    trainer.train(resume_from_checkpoint=_newest_whole_checkpoint(folder))


def _newest_whole_checkpoint(folder: Path) -> str | None:
    # The trainer writes its state last: a folder without it was being written when the process was killed.
    whole = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")))) if whole else None
