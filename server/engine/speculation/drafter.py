"""The drafter that vLLM loads in each worker: certain markers of the protocol first, then a copy of what came before.

vLLM makes it by its name (`speculative_config` with `custom_class`, an interface that vLLM calls experimental) and asks
it for drafts after every step. `worker.SpeculatingWorker` introduces it to the model runner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from steiner.server.engine.base import DRAFT_COUNTS
from steiner.server.engine.speculation.copy_index import (
    NUM_BANDS,
    NUM_PLACES,
    NUM_WAYS,
    STATE_SIZE,
    count_drafts,
    draft_rows,
)
from steiner.server.engine.speculation.draft_counts import DraftCounts
from steiner.server.engine.speculation.marks import CONFIG_KEY, Packed, packed, read_marks

if TYPE_CHECKING:
    from vllm.config import VllmConfig

LEAST_TABLE_BITS, MOST_TABLE_BITS = 12, 16
TRUST_WEIGHT = 5.0
FULL_TRUST = np.ones(NUM_BANDS)
TOKENS_PER_ROW = 2.0
"""That a step yields for each request, about."""
MOST_CERTAIN = 0.97
THRESHOLD_WITH_SEED = 0.4
"""Of a request with a seed, which has to draft the same whoever runs beside it."""


@dataclass(slots=True)
class _StepCost:
    """How likely a drafted token must be to be worth its computation, from the size of the model and of the batch.

    A step costs `base + rows * row + drafted * extra`, and yields some tokens. A drafted token that is accepted with
    probability p saves p times what a token costs in such a step. So it pays if p is above extra / (step / tokens).
    Only the proportions of the costs matter.
    """

    on_cpu: bool
    num_parameters: int = 0

    def threshold(self, num_rows: int) -> float:
        """The least probability that a drafted token must have, for a batch of so many requests."""
        base, row, extra, _ = self._microseconds(num_rows)
        step = base + num_rows * (row + (TOKENS_PER_ROW - 1) * extra)
        return min(MOST_CERTAIN, TOKENS_PER_ROW * num_rows * extra / step)

    def pays(self, num_rows: int, num_drafted: int, num_expected: float) -> bool:
        """Whether a step with these drafts yields more for its time than one without any."""
        base, row, extra, checking = self._microseconds(num_rows)
        step = base + num_rows * row
        return num_expected * step > num_rows * (checking + num_drafted * extra)

    def _microseconds(self, num_rows: int) -> tuple[float, float, float, float]:
        """Of a step as such, of each request in it, of each drafted token, and of a step that has any."""
        billions = self.num_parameters / 1e9
        if self.on_cpu:
            # Measured with 1 and 20 million parameters in float32 on one core of 2025. Weights are read once a step.
            reading, computing = 165_000 * billions, 14_000 * billions
            return 1_650 + reading, 114 + computing, 38 + computing, 400 + 10 * num_rows
        # A GPU of 3 TB/s and 500 TFLOP/s in bfloat16, with 2 ms of host work before and after each step.
        reading, computing = 670 * billions, 4 * billions
        return 2_000 + reading, 20 + computing, 6 + computing, 200


def num_parameters_of(model: Any) -> int:
    """Parameters of a vLLM model on this rank.

    On a CPU vLLM packs the weights of linear layers and leaves empty tensors behind, and quantised weights are packed
    everywhere. So a layer's shape counts where it tells more.
    """
    total = 0
    for layer in model.modules():
        held = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        widths = (
            getattr(layer, name, 0) for name in ("input_size_per_partition", "output_size_per_partition")
        )
        total += max(held, math.prod(widths))
    return total


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Where the index has a sequence.

    Attributes:
        drafts: whether it gets drafts. vLLM applies some sampling parameters to no drafted token.
        has_seed: whether its random numbers are its own. How many of them a step takes depends on its drafts.
    """

    slot: int
    drafts: bool
    has_seed: bool


class ProtocolDrafter:
    """Drafts for the running requests of one worker. All ranks of a model draft the same.

    Args:
        vllm_config: vLLM's configuration; `additional_config` has the marks of the protocol.
    """

    def __init__(self, vllm_config: VllmConfig) -> None:
        settings: Any = vllm_config.additional_config
        own = settings[CONFIG_KEY]
        speculative: Any = vllm_config.speculative_config
        max_draft = int(speculative.num_speculative_tokens)
        self._marks: Packed = packed(read_marks(own["marks"]), vllm_config.model_config.get_vocab_size())
        self._cost = _StepCost(on_cpu=bool(own["on_cpu"]))
        parallel = vllm_config.parallel_config
        self._counts = DraftCounts(own["counts"], parallel.data_parallel_rank) if parallel.rank == 0 else None
        self._max_model_len = int(vllm_config.model_config.max_model_len)
        needed = NUM_WAYS * self._max_model_len
        table_bits = min(max(needed.bit_length(), LEAST_TABLE_BITS), MOST_TABLE_BITS)
        # Memory is taken as sequences come: pages of zeros that nobody wrote to cost nothing.
        most = int(vllm_config.scheduler_config.max_num_seqs)
        self._index = (
            np.zeros((most, 1 << table_bits), np.uint64),
            np.zeros((most, 2, NUM_WAYS + 1, NUM_PLACES)),
            np.zeros((most, STATE_SIZE), np.int64),
            np.zeros(most, np.uint64),
        )
        self._last_counts = np.zeros(most, np.int64)
        self._last_markers = np.zeros((most, max_draft), np.bool_)
        self._drafts = (
            np.zeros((most, max_draft), np.int64),
            np.zeros((most, max_draft), np.bool_),
            np.zeros(most, np.int64),
        )
        self._overall = np.zeros((2, NUM_BANDS))
        self._sequences: dict[str, _Sequence] = {}
        self._free = list(range(most))
        self._num_made = 0
        self._runner: Any = None
        # Compiled now, or the first request would wait for it.
        nobody = np.full(1, -1, np.int64)
        self._draft(np.zeros((1, 2), np.int32), np.ones(1, np.int32), nobody, np.zeros(1, np.bool_))
        count_drafts(
            nobody, nobody, self._last_counts, self._last_markers, np.zeros(len(DRAFT_COUNTS), np.int64)
        )

    def load_model(self, model: Any, *_: Any, **__: Any) -> None:
        """There is none to load; the size of the served model says what a drafted token costs."""
        self._cost.num_parameters = num_parameters_of(model)

    def attach(self, runner: Any) -> None:
        """Get to know the model runner, whose batch says which request each row is. Until then nothing is drafted."""
        self._runner = runner

    def propose(
        self,
        sampled_token_ids: Sequence[Sequence[int]],
        num_tokens_no_spec: npt.NDArray[np.int32],
        token_ids_cpu: npt.NDArray[np.int32],
        slot_mappings: object = None,
    ) -> list[list[int]]:
        """Draft tokens for each row of the batch; none where there is nothing likely enough.

        Args:
            sampled_token_ids: those of the last step, by row; none for a prompt that is not done.
            num_tokens_no_spec: tokens of each row, the sampled ones included.
            token_ids_cpu: all tokens of each row, of shape (rows, max_model_len).
        """
        if self._runner is None:
            return [[] for _ in sampled_token_ids]
        request_ids = self._runner.input_batch.req_ids
        self._forget_ended(request_ids)
        num_rows = len(sampled_token_ids)
        num_sampled = np.zeros(num_rows, np.int64)
        # Rows by their slots: those that went through a step, and those that get drafts.
        known, drafting = np.full(num_rows, -1, np.int64), np.full(num_rows, -1, np.int64)
        have_seeds = np.zeros(num_rows, np.bool_)
        for row, sampled in enumerate(sampled_token_ids):
            if not sampled:
                continue
            num_sampled[row] = len(sampled)
            sequence = self._sequences.get(request_ids[row])
            if sequence is None:
                sequence = self._sequences[request_ids[row]] = self._begin(request_ids[row])
            else:
                known[row] = sequence.slot
            have_seeds[row] = sequence.has_seed
            if sequence.drafts:
                drafting[row] = sequence.slot
        if self._counts is not None:
            count_drafts(num_sampled, known, self._last_counts, self._last_markers, self._counts.totals)
            self._counts.write()
        # What was drafted for a row that took no part in the step is lost.
        self._last_counts[:] = 0
        expected = self._draft(token_ids_cpu, num_tokens_no_spec, drafting, have_seeds)
        return self._kept_drafts(drafting, have_seeds, expected)

    def _draft(
        self,
        tokens: npt.NDArray[np.int32],
        ends: npt.NDArray[np.int32],
        slots: npt.NDArray[np.int64],
        have_seeds: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float64]:
        """Draft for rows by their slots; returns how many tokens of each are likely to be accepted."""
        thresholds = np.full(len(slots), self._cost.threshold(len(slots)))
        thresholds[have_seeds] = THRESHOLD_WITH_SEED
        expected: npt.NDArray[np.float64] = draft_rows(
            tokens,
            np.asarray(ends, np.int32),
            self._max_model_len,
            slots,
            thresholds,
            np.where(have_seeds[:, None], FULL_TRUST, self._trust()),
            self._index,
            self._marks,
            self._overall,
            self._drafts,
        )
        return expected

    def _kept_drafts(
        self,
        slots: npt.NDArray[np.int64],
        have_seeds: npt.NDArray[np.bool_],
        expected: npt.NDArray[np.float64],
    ) -> list[list[int]]:
        """The drafts by row; of requests without a seed if the step is worth them."""
        out, is_marker, counts = (drafts[: len(slots)] for drafts in self._drafts)
        free = ~have_seeds
        if not self._cost.pays(len(slots), int(counts[free].sum()), float(expected[free].sum())):
            counts[free] = 0
        drafting = slots >= 0
        self._last_counts[slots[drafting]] = counts[drafting]
        self._last_markers[slots[drafting]] = is_marker[drafting]
        return [row[:count] for row, count in zip(out.tolist(), counts.tolist(), strict=True)]

    def _trust(self) -> npt.NDArray[np.float64]:
        """How often guesses of each band came lately against what was thought of them, in all sequences."""
        came, thought = self._overall
        trust: npt.NDArray[np.float64] = (came + TRUST_WEIGHT) / (thought + TRUST_WEIGHT)
        return trust

    def _begin(self, request_id: str) -> _Sequence:
        slot = self._free.pop()
        self._num_made += 1
        _, rates, states, salts = self._index
        # Instead of clearing the table: entries of another salt are never found.
        salts[slot] = self._num_made
        rates[slot] = 0
        states[slot] = 0
        self._last_counts[slot] = 0
        sampling = self._runner.requests[request_id].sampling_params
        return _Sequence(
            slot,
            drafts=not (sampling and (sampling.logit_bias or sampling.min_p)),
            has_seed=bool(sampling and sampling.seed is not None),
        )

    def _forget_ended(self, request_ids: Sequence[str]) -> None:
        if len(self._sequences) <= len(request_ids) and all(one in self._sequences for one in request_ids):
            return
        ended = self._sequences.keys() - set(request_ids)
        self._free += [self._sequences.pop(request_id).slot for request_id in ended]
