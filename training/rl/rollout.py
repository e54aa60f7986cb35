"""Sample searches from the policy and read them back as steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from transformers import PreTrainedTokenizerFast

from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.protocol import MAX_DEPTH, BoundProtocol
from steiner.reasoning.steps import Backtrack, End, Proceed, Step
from steiner.reasoning.tasks.languages import in_english
from steiner.training.documents.encode import chat_prompt
from steiner.training.rl.engine import Completion, Sampler, SampleRequest
from steiner.training.rl.grade import WrittenStep


@dataclass(frozen=True, slots=True)
class Rollout:
    """One sampled completion.

    Attributes:
        token_ids: prompt and completion.
        num_prompt_tokens: where the completion begins.
        step_of_token: for each token of the completion the index of its step; -1 outside steps.
        well_formed: the protocol was kept to the end and the answer was finished.
        logprobs: of the completion's tokens, in nats, as they were drawn; none if they were not sampled.
    """

    token_ids: list[int]
    num_prompt_tokens: int
    step_of_token: list[int]
    steps: list[WrittenStep]
    answer: str
    well_formed: bool
    logprobs: Sequence[float] = ()


def sample_rollouts(
    sampler: Sampler,
    tokenizer: PreTrainedTokenizerFast,
    bound: BoundProtocol,
    prompts: Sequence[str],
    seeds: Sequence[Sequence[int]],
    temperature: float,
    max_new_tokens: int,
) -> list[list[Rollout]]:
    """Unconstrained samples: the format has to stay in the policy, and log-probabilities must be the model's own.

    Args:
        prompts: what the user asks.
        seeds: for each prompt those of its completions.

    Returns:
        For each prompt its group of rollouts, one for each seed.
    """
    chats = [chat_prompt(prompt, tokenizer) for prompt in prompts]
    encoded = [tokenizer.encode(chat, add_special_tokens=False) for chat in chats]
    requests = [
        SampleRequest(ids, seed) for ids, of_one in zip(encoded, seeds, strict=True) for seed in of_one
    ]
    sampled = sampler.sample(requests, temperature, max_new_tokens, bound.end_of_turn_id)
    read = (
        read_rollout(request.prompt_ids, completion, tokenizer, bound)
        for request, completion in zip(requests, sampled, strict=True)
    )
    return [list(islice(read, len(of_one))) for of_one in seeds]


def read_rollout(
    prompt: Sequence[int], completion: Completion, tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> Rollout:
    """Parse a completion; one that does not end with its turn was cut off."""
    ids = completion.token_ids
    finished = bool(ids) and ids[-1] == bound.end_of_turn_id
    parser = Parser(bound, section_texts(tokenizer.backend_tokenizer))
    parser.feed(ids)
    parser.close("stop" if finished else "length")
    trace = parser.trace
    return Rollout(
        [*prompt, *ids],
        len(prompt),
        _steps_of_tokens(ids, bound),
        [_written(step) for step in trace.steps],
        trace.answer,
        finished and not trace.num_violations,
        completion.logprobs,
    )


def _steps_of_tokens(ids: Sequence[int], bound: BoundProtocol) -> list[int]:
    """A step's tokens reach from its start to the decision after it, including a depth."""
    current = step = -1
    owners = []
    for token_id in ids:
        if token_id == bound.step_start_id:
            step += 1
            current = step
        owners.append(current)
        if token_id == bound.reasoning_end_id:
            current = -1
    return owners


def _written(step: Step) -> WrittenStep:
    next_step = next((section.text for section in step.sections if section.role == "next_step"), "")
    decision: Literal["proceed", "end"] | int | None = None
    match step.decision:
        case Proceed():
            decision = "proceed"
        case End():
            decision = "end"
        case Backtrack(to_depth=depth):
            decision = depth
    # An impossible depth matches no state, so that a step that cannot be placed is graded as a defect.
    return WrittenStep(in_english(next_step), step.verdict, decision, step.depth or MAX_DEPTH + 1)
