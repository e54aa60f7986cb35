"""Sample searches from the policy and read them back as steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.reasoning.decoding import section_texts
from steiner.reasoning.parser import Parser
from steiner.reasoning.protocol import MAX_DEPTH, BoundProtocol
from steiner.reasoning.steps import Backtrack, End, Proceed, Step
from steiner.reasoning.tasks.languages import in_english
from steiner.training.rl.grade import WrittenStep


@dataclass(frozen=True, slots=True)
class Rollout:
    """One sampled completion.

    Attributes:
        token_ids: prompt and completion.
        num_prompt_tokens: where the completion begins.
        step_of_token: for each token of the completion the index of its step; -1 outside steps.
        well_formed: the protocol was kept to the end and the answer was finished.
    """

    token_ids: list[int]
    num_prompt_tokens: int
    step_of_token: list[int]
    steps: list[WrittenStep]
    answer: str
    well_formed: bool


@torch.no_grad()
def sample_rollouts(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    bound: BoundProtocol,
    prompts: Sequence[Sequence[int]],
    samples: int,
    temperature: float,
    max_new_tokens: int,
) -> list[list[Rollout]]:
    """Unconstrained samples: the format has to stay in the policy, and log-probabilities must be the model's own.

    Args:
        prompts: token ids of each prompt, generation prompt included.

    Returns:
        For each prompt its group of `samples` rollouts.
    """
    model.eval()
    padded = _pad_left(prompts, bound.end_of_turn_id)
    input_ids, attention_mask = (tensor.to(model.device) for tensor in padded)
    generated = model.generate(
        input_ids=input_ids,
        attention_mask=attention_mask,
        do_sample=temperature > 0,
        temperature=temperature or None,
        top_k=0 if temperature > 0 else None,
        num_return_sequences=samples,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=bound.end_of_turn_id,
    )
    completions = generated[:, input_ids.shape[1] :].tolist()
    return [
        [
            read_rollout(prompt, completions[index * samples + number], tokenizer, bound)
            for number in range(samples)
        ]
        for index, prompt in enumerate(prompts)
    ]


def read_rollout(
    prompt: Sequence[int], completion: Sequence[int], tokenizer: PreTrainedTokenizerFast, bound: BoundProtocol
) -> Rollout:
    """Cut the completion behind its end of turn and parse it."""
    ids = list(completion)
    finished = bound.end_of_turn_id in ids
    if finished:
        ids = ids[: ids.index(bound.end_of_turn_id) + 1]
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
    )


def _steps_of_tokens(ids: Sequence[int], bound: BoundProtocol) -> list[int]:
    """A step's tokens reach from its start to the decision behind it, depth included."""
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
    # An impossible depth matches no state, so that what cannot be placed is graded as a defect.
    return WrittenStep(in_english(next_step), step.verdict, decision, step.depth or MAX_DEPTH + 1)


def _pad_left(prompts: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    longest = max(map(len, prompts))
    input_ids = torch.full((len(prompts), longest), pad_id, dtype=torch.int64)
    attention_mask = torch.zeros_like(input_ids)
    for row, prompt in enumerate(prompts):
        input_ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        attention_mask[row, longest - len(prompt) :] = 1
    return input_ids, attention_mask
