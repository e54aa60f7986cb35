"""The drafter that vLLM loads in each worker: certain markers of the protocol first, then a copy of what came before.

vLLM makes it by its name (`speculative_config` with `custom_class`, an interface that vLLM calls experimental) and asks
it for drafts after every step. `worker.SpeculatingWorker` introduces it to the model runner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from steiner.server.engine.speculation.copy_index import (
    NUM_BANDS,
    NUM_PLACES,
    NUM_WAYS,
    STATE_SIZE,
    draft,
    learn,
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


@dataclass(slots=True)
class _Sequence:
    """What the drafter knows of one sequence: its index, and its last draft.

    Attributes:
        drafts: whether it gets drafts. vLLM applies some sampling parameters to no drafted token.
    """

    drafts: bool
    salt: np.uint64
    table: npt.NDArray[np.uint64]
    rates: npt.NDArray[np.float64]
    state: npt.NDArray[np.int64]
    last_markers: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))


class ProtocolDrafter:
    """Drafts for the running requests of one worker. All ranks of a model draft the same.

    Args:
        vllm_config: vLLM's configuration; `additional_config` has the marks of the protocol.
    """

    def __init__(self, vllm_config: VllmConfig) -> None:
        settings: Any = vllm_config.additional_config
        own = settings[CONFIG_KEY]
        speculative: Any = vllm_config.speculative_config
        self._max_draft = int(speculative.num_speculative_tokens)
        self._max_model_len = int(vllm_config.model_config.max_model_len)
        self._marks: Packed = packed(read_marks(own["marks"]), vllm_config.model_config.get_vocab_size())
        self._cost = _StepCost(on_cpu=bool(own["on_cpu"]))
        parallel = vllm_config.parallel_config
        self._counts = DraftCounts(own["counts"], parallel.data_parallel_rank) if parallel.rank == 0 else None
        needed = NUM_WAYS * self._max_model_len
        self._table_bits = min(max(needed.bit_length(), LEAST_TABLE_BITS), MOST_TABLE_BITS)
        self._out = np.zeros(self._max_draft, np.int64)
        self._is_marker = np.zeros(self._max_draft, np.bool_)
        self._overall = np.zeros((2, NUM_BANDS))
        self._sequences: dict[str, _Sequence] = {}
        self._free: list[_Sequence] = []
        self._num_made = 0
        self._runner: Any = None
        # Compiled now, or the first request would wait for it.
        self._draft(self._sequence_without_request(), np.zeros(2, np.int32), 2, 0.5, FULL_TRUST)

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
        threshold = self._cost.threshold(len(sampled_token_ids))
        # A request alone, which may have a seed, must not depend on those before it.
        trust = self._trust() if len(sampled_token_ids) > 1 else FULL_TRUST
        num_expected = 0.0
        drafts: list[list[int]] = []
        for row, sampled in enumerate(sampled_token_ids):
            sequence = self._sequences.get(request_ids[row])
            drafts.append([])
            if not sampled:
                continue
            if sequence is None:
                sequence = self._sequences[request_ids[row]] = self._begin(request_ids[row])
            else:
                self._count(sequence, len(sampled))
            if sequence.drafts:
                end = int(num_tokens_no_spec[row])
                drafts[row], expected = self._draft(sequence, token_ids_cpu[row], end, threshold, trust)
                num_expected += expected
        if self._counts is not None:
            self._counts.write()
        num_drafted = sum(map(len, drafts))
        if num_drafted and not self._cost.pays(len(drafts), num_drafted, num_expected):
            for sequence in self._sequences.values():
                sequence.last_markers = sequence.last_markers[:0]
            return [[] for _ in drafts]
        return drafts

    def _draft(
        self,
        sequence: _Sequence,
        tokens: npt.NDArray[np.int32],
        end: int,
        threshold: float,
        trust: npt.NDArray[np.float64],
    ) -> tuple[list[int], float]:
        """A draft, and how many of its tokens are likely to be accepted."""
        slot = (sequence.table, sequence.rates, sequence.state)
        learn(tokens, end, sequence.salt, *slot, self._marks, self._overall)
        limit = min(self._max_draft, self._max_model_len - end - 1)
        if limit <= 0:
            return [], 0.0
        count, expected = draft(
            tokens, end, limit, threshold, trust, sequence.salt, slot, self._marks, self._out, self._is_marker
        )
        sequence.last_markers = self._is_marker[:count].copy()
        return self._out[:count].tolist(), expected

    def _trust(self) -> npt.NDArray[np.float64]:
        """How often guesses of each band came lately against what was thought of them, in all sequences."""
        came, thought = self._overall
        trust: npt.NDArray[np.float64] = (came + TRUST_WEIGHT) / (thought + TRUST_WEIGHT)
        return trust

    def _count(self, sequence: _Sequence, num_sampled: int) -> None:
        """Count the last draft of a sequence and what was sampled of it. Its last token is never a drafted one."""
        if self._counts is None:
            return
        markers, num_accepted = sequence.last_markers, num_sampled - 1
        drafted_markers, accepted_markers = int(markers.sum()), int(markers[:num_accepted].sum())
        self._counts.add(
            steps=1,
            tokens=num_sampled,
            drafted_markers=drafted_markers,
            drafted_copies=len(markers) - drafted_markers,
            accepted_markers=accepted_markers,
            accepted_copies=num_accepted - accepted_markers,
        )
        sequence.last_markers = markers[:0]

    def _begin(self, request_id: str) -> _Sequence:
        sequence = self._free.pop() if self._free else self._sequence_without_request()
        self._num_made += 1
        # Instead of clearing the table: entries of another salt are never found.
        sequence.salt = np.uint64(self._num_made)
        sequence.rates.fill(0)
        sequence.state.fill(0)
        sequence.last_markers = sequence.last_markers[:0]
        sampling = self._runner.requests[request_id].sampling_params
        sequence.drafts = not (sampling and (sampling.logit_bias or sampling.min_p))
        return sequence

    def _sequence_without_request(self) -> _Sequence:
        return _Sequence(
            True,
            np.uint64(0),
            np.zeros(1 << self._table_bits, np.uint64),
            np.zeros((2, NUM_WAYS + 1, NUM_PLACES)),
            np.zeros(STATE_SIZE, np.int64),
        )

    def _forget_ended(self, request_ids: Sequence[str]) -> None:
        if len(self._sequences) <= len(request_ids) and all(one in self._sequences for one in request_ids):
            return
        ended = self._sequences.keys() - set(request_ids)
        self._free += [self._sequences.pop(request_id) for request_id in ended]
