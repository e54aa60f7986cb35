"""The choices of one request: generations of the same prompt, each with reasoning and numbers of its own."""

from __future__ import annotations

import dataclasses
import hashlib

from steiner.server.assignment import Assignment
from steiner.server.token_requests import NUM_SEEDS


def choices_of(assignment: Assignment, num_choices: int) -> list[Assignment]:
    """Assignments that differ in their ids and seeds; the first is the one given."""
    return [assignment, *(_choice(assignment, index) for index in range(1, num_choices))]


def _choice(assignment: Assignment, index: int) -> Assignment:
    sampling = assignment.sampling
    if sampling.seed is not None:
        # Seeds side by side are taken: a generation that was cut goes on with the next one.
        digest = hashlib.blake2b(f"{sampling.seed}/{index}".encode(), digest_size=8).digest()
        sampling = dataclasses.replace(sampling, seed=int.from_bytes(digest) % NUM_SEEDS)
    return dataclasses.replace(assignment, id=f"{assignment.id}.{index}", sampling=sampling)
