"""Teacher-forced accuracy by section: the instrument that finds a fault of format or training within a minute.

Free-running averages are dominated by searches that have already gone wrong. Given the right prefix, every kind of
token shows whether it is learned.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Style
from steiner.training.data.kinds import TRACES
from steiner.training.data.manifest import read_manifest
from steiner.training.data.shards import DataError, read_records
from steiner.training.documents.encode import Document, encode_chats
from steiner.training.learning.batches import IGNORED, collate
from steiner.training.model.checkpoint import load_checkpoint

BATCH_DOCUMENTS = 32


def kinds_of(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """What each token is: the role of its section, "verdict", "decision", "marker", or "answer"."""
    starts = {tokenizer.convert_tokens_to_ids(s.start): s.role for s in STEINER.sections}
    ends = {tokenizer.convert_tokens_to_ids(s.end) for s in STEINER.sections}
    special = set(tokenizer.all_special_ids)
    verdicts = set(tokenizer.convert_tokens_to_ids([STEINER.verified, STEINER.refuted]))
    decisions = set(
        tokenizer.convert_tokens_to_ids([STEINER.proceed, STEINER.backtrack, STEINER.reasoning_end])
    )
    backtrack, end = tokenizer.convert_tokens_to_ids([STEINER.backtrack, STEINER.reasoning_end])
    kinds: list[str] = []
    inside = "prompt"
    for token_id in token_ids:
        if token_id in starts:
            inside = starts[token_id]
            kinds.append("marker")
        elif token_id in verdicts:
            kinds.append("verdict")
        elif token_id in decisions:
            inside = "depth" if token_id == backtrack else "answer" if token_id == end else "marker"
            kinds.append("decision")
        elif token_id in ends:
            # Stopping is part of a section: only here does a list that ends too early count as wrong.
            kinds.append(inside)
        elif token_id in special:
            kinds.append("answer" if inside == "answer" else "marker")
        else:
            kinds.append(inside)
    return kinds


@torch.no_grad()
def teacher_forced_accuracy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, documents: Iterable[Document]
) -> dict[str, float]:
    """Share of learned tokens that are the most likely one given the right prefix, by kind of token."""
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    model.eval()
    batch: list[Document] = []
    ordered = sorted(documents, key=lambda document: len(document.token_ids))
    for start in range(0, len(ordered), BATCH_DOCUMENTS):
        batch = ordered[start : start + BATCH_DOCUMENTS]
        inputs = collate(batch, tokenizer.pad_token_id)
        guesses = model(input_ids=inputs["input_ids"][:, :-1]).logits.argmax(dim=-1)
        hits = guesses == inputs["labels"][:, 1:]
        learned = inputs["labels"][:, 1:] != IGNORED
        for row, document in enumerate(batch):
            kinds = kinds_of(document.token_ids, tokenizer)
            for position in learned[row].nonzero().flatten().tolist():
                seen[kinds[position + 1]] += 1
                right[kinds[position + 1]] += bool(hits[row, position])
    return {kind: right[kind] / count for kind, count in sorted(seen.items())}


def checkpoint_accuracy(checkpoint: Path, data: Path, style: Style, num_traces: int) -> dict[str, float]:
    """`teacher_forced_accuracy` of a checkpoint on traces that are spread evenly over a data folder.

    Args:
        checkpoint: folder that a stage or `export` left.
        data: what `steiner data` wrote, in the form of this version.
        style: what the model was taught to write.

    Raises:
        DataError: the data are not complete, or no trace fits the model's positions.
        BaseError: the base of the checkpoint's adapters is out of reach.
    """
    apart = max(1, read_manifest(data)["kinds"][TRACES.name]["records"] // num_traces)
    records = islice(islice(read_records(data, TRACES), 0, None, apart), num_traces)
    model, tokenizer = load_checkpoint(checkpoint)
    encoded = encode_chats(records, tokenizer, style, 0.0, 1)
    documents = [one for one in encoded if len(one.token_ids) <= tokenizer.model_max_length]
    if not documents:
        raise DataError(f"{data}: no trace fits the {tokenizer.model_max_length:,} tokens of {checkpoint}.")
    accuracy: dict[str, float] = teacher_forced_accuracy(model, tokenizer, documents)
    return accuracy
