"""The engine requests of one generation: each goes on after the tokens of the one before.

The choices of a request are generations of the same prompt, each with its own reasoning and random numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from steiner.reasoning.automaton import State
from steiner.reasoning.grammar import compile_continuation, compile_grammar
from steiner.reasoning.grammar.rules import HEADER
from steiner.reasoning.policy import MAX_BIAS, Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.conductor.assignment import AnswerFormat, Assignment
from steiner.server.engine.base import Sampling, TokenRequest

NUM_SEEDS = 2**63


def policy_bias(bound: BoundProtocol, policy: Policy) -> dict[int, float]:
    """Biases by token id: on going back, and on ending the reasoning."""
    biases = {bound.backtrack_id: policy.backtrack_bias, bound.reasoning_end_id: policy.end_bias}
    return {
        token_id: bias
        for token_id, bias in biases.items()
        if token_id is not None and token_id < bound.vocab_size and bias
    }


def answer_request(request: TokenRequest, bound: BoundProtocol, answer_format: AnswerFormat) -> TokenRequest:
    """The request that samples the answer in its format.

    If an empty text would fit, the end of the turn waits for one token. Where the grammar would take a marker for its
    letters, as `[THINK]` inside a string, a bias keeps it out.
    """
    kept_out = dict.fromkeys(bound.textual_ids - {bound.end_of_turn_id}, -MAX_BIAS)
    return dataclasses.replace(
        request,
        logit_bias={**request.logit_bias, **kept_out},
        grammar=f"{HEADER}start: answer <[{bound.end_of_turn_id}]>\n{answer_format.grammar}",
        min_tokens=1,
    )


class TokenRequests:
    """Makes them, in order."""

    def __init__(self, bound: BoundProtocol, assignment: Assignment) -> None:
        self._bound = bound
        self._assignment = assignment
        self._num_made = 0

    def make(
        self, context_ids: Sequence[int], max_tokens: int, resume: State | None, *, in_answer: bool
    ) -> TokenRequest:
        """The next one.

        Args:
            context_ids: what the model has after the prompt.
            resume: the state of the sequence, for the grammar; None at its beginning.
            in_answer: whether the answer comes next.
        """
        assignment, bound = self._assignment, self._bound
        is_first = not self._num_made
        request = TokenRequest(
            request_id=assignment.id if is_first else f"{assignment.id}-{self._num_made}",
            prompt_ids=[*assignment.prompt_ids, *context_ids],
            max_tokens=max_tokens,
            sampling=self._sampling(),
            stop_ids=(bound.end_of_turn_id,),
            logit_bias=policy_bias(bound, assignment.policy),
            trace_headers=assignment.trace_headers,
            num_logprobs=assignment.num_logprobs,
        )
        self._num_made += 1
        if assignment.answer_rule is not None:
            if in_answer:
                biased = dataclasses.replace(request, logit_bias=assignment.answer_bias)
                return self._answer(biased, resume)
            # The answer comes from another request, so this one can stop before the conductor has to cut it.
            end_ids = () if bound.ends_in_text else (bound.reasoning_end_id,)
            stop_ids = (*request.stop_ids, *end_ids)
            request = dataclasses.replace(request, num_logprobs=None, stop_ids=stop_ids)
        return self._constrained(request, resume, is_first=is_first)

    def _answer(self, request: TokenRequest, resume: State | None) -> TokenRequest:
        answer_format = self._assignment.answer_format
        if answer_format is not None:
            return answer_request(request, self._bound, answer_format)
        return self._constrained(request, resume, is_first=False)

    def _constrained(self, request: TokenRequest, resume: State | None, *, is_first: bool) -> TokenRequest:
        policy, bound = self._assignment.policy, self._bound
        if not policy.constrained or self._answers_plainly:
            return request
        # On the event loop: a few milliseconds once for each policy. A thread would add to every cut.
        if resume is None or is_first:
            return dataclasses.replace(request, grammar=compile_grammar(bound, policy, resume))
        return dataclasses.replace(request, grammar=compile_continuation(bound, policy, resume))

    @property
    def _answers_plainly(self) -> bool:
        """Whether the model answers as it would anywhere: it was told of no markers, and shall not reason."""
        return self._bound.ends_in_text and self._assignment.policy.max_reasoning_tokens == 0

    def _sampling(self) -> Sampling:
        sampling = self._assignment.sampling
        if sampling.seed is None or not self._num_made:
            return sampling
        # The same seed would draw the same numbers again. To vLLM, a certain seed below 0 means no seed.
        return dataclasses.replace(sampling, seed=(sampling.seed + self._num_made) % NUM_SEEDS)


def choices_of(assignment: Assignment, num_choices: int) -> list[Assignment]:
    """Assignments that differ in their ids and seeds; the first is the one given."""
    return [assignment, *(_choice(assignment, index) for index in range(1, num_choices))]


def _choice(assignment: Assignment, index: int) -> Assignment:
    sampling = assignment.sampling
    if sampling.seed is not None:
        # Adjacent seeds are in use: a generation that was cut goes on with the next one.
        digest = hashlib.blake2b(f"{sampling.seed}/{index}".encode(), digest_size=8).digest()
        sampling = dataclasses.replace(sampling, seed=int.from_bytes(digest) % NUM_SEEDS)
    return dataclasses.replace(assignment, id=f"{assignment.id}.{index}", sampling=sampling)
