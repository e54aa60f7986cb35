"""What a request to the engine has beside its tokens: biases of the policy, and the answer's own grammar."""

from __future__ import annotations

import dataclasses
import json

from steiner.reasoning.policy import MAX_BIAS, Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.engine import TokenRequest
from steiner.server.interventions.answer import AnswerFormat

ANY_OBJECT = {"type": "object"}


def policy_bias(bound: BoundProtocol, policy: Policy) -> dict[int, float]:
    """Biases by token id: on going back, and on ending the reasoning."""
    biases = {bound.backtrack_id: policy.backtrack_bias, bound.reasoning_end_id: policy.end_bias}
    return {token_id: bias for token_id, bias in biases.items() if token_id is not None and bias}


def schema_text(answer_format: AnswerFormat) -> str:
    """The schema as JSON, as an engine takes it."""
    return json.dumps(ANY_OBJECT if answer_format.schema is None else answer_format.schema)


def answer_request(request: TokenRequest, bound: BoundProtocol, answer_format: AnswerFormat) -> TokenRequest:
    """The request that samples the answer, held to its format.

    A grammar of text lets special tokens pass where their spelling would, inside a JSON string, so they are kept out by
    the largest bias that there is.
    """
    kept_out = dict.fromkeys(bound.special_ids - {bound.end_of_turn_id}, -MAX_BIAS)
    return dataclasses.replace(request, json_schema=schema_text(answer_format), logit_bias=kept_out)
