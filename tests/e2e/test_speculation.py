"""The drafter on a real engine beside the same engine without: what is told is the same, only sooner."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from scipy.stats import chi2
from tokenizers import Tokenizer

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.reasoning.tasks.languages import LANGUAGES
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import held_out_problems

# Random weights repeat nothing, so there is nothing to copy.
pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]

WEIGHTS = Path(__file__).resolve().parents[2] / "models" / "steiner-tiny"
PROBLEM = "make 22 from 15 4 11"
NUM_SAMPLES = 3000
AT_ONCE = 64
SCHEMA = {
    "type": "object",
    "properties": {"value": {"type": "integer", "minimum": 0, "maximum": 99}, "found": {"type": "boolean"}},
    "required": ["value", "found"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "note",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"value": {"type": "integer", "minimum": 0, "maximum": 99}},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "budget": {"reasoning": {"max_reasoning_tokens": 70}},
    "tiny budget": {"reasoning": {"max_reasoning_tokens": 31}},
    "no budget": {"reasoning_effort": "none"},
    "cut short": {"max_completion_tokens": 57},
    "section limit": {"reasoning": {"max_section_tokens": 6}},
    "one step": {"reasoning": {"max_steps": 1}},
    "verifier": {"reasoning": {"verifier": "auto"}},
    "memory": {"reasoning": {"memory": True}},
    "unconstrained": {"reasoning": {"constrained": False}},
    "bias on going back": {
        "reasoning": {"backtrack_bias": 100.0, "allow_change_of_mind": True, "max_steps": 6}
    },
    "bias on ending": {"reasoning": {"end_bias": -100.0, "max_steps": 6}},
    "penalty": {"repetition_penalty": 1.1, "reasoning": {"max_steps": 3}},
    "certain by min_p": {"temperature": 1.5, "min_p": 1.0},
    "certain by top_k": {"temperature": 1.5, "top_k": 1},
    "stop string": {"stop": ["+", "4"]},
    "schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "result", "schema": SCHEMA}}
    },
    "tool": {"tools": [TOOL], "tool_choice": "required"},
    "banned in the answer": {},
}


@pytest.fixture(scope="module")
def without(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
    """The same weights without speculation."""
    port = free_port()
    command = [*serve_command(WEIGHTS, port), "--speculation", "off"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", os.environ.get("VLLM_CPU_OMP_THREADS_BIND", "nobind"))
        with LocalServer([*command, "--store", "memory"], port) as running:
            running.wait_until_ready()
            yield running


def ask(server: Any, prompt: str = PROBLEM, **fields: Any) -> dict[str, Any]:
    """What a chat says: all choices and the usage, without what is another each time."""
    body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0} | fields
    response = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=300)
    assert response.status_code == 200, response.text
    said = response.json()
    # What the prefix cache had depends on what was asked before.
    (said["usage"].get("prompt_tokens_details") or {}).pop("cached_tokens", None)
    for choice in said["choices"]:
        for step in choice["message"].get("reasoning_steps") or ():
            del step["started_s"], step["finished_s"]
        for call in choice["message"].get("tool_calls") or ():
            del call["id"]
    return {"choices": said["choices"], "usage": said["usage"]}


def drafts(server: Any) -> dict[str, float]:
    """The counters of speculation by name and origin."""
    page = httpx.get(f"{server.url}/metrics").text
    found = re.findall(r"^steiner_((?:drafted|accepted|decode|decoded)_\w+_total)(\S*) (\S+)$", page, re.M)
    return {name + label: float(value) for name, label, value in found}


def test_greedy_answers_are_those_without(server: Any, without: LocalServer) -> None:
    prompts = [
        problem.prompt
        for family, language in product(FAMILIES, LANGUAGES)
        for problem in held_out_problems(family, (3, 4), 3, seed=31, language=language)
    ]
    before = drafts(server)
    alone = [ask(server, prompt) for prompt in prompts]
    counted = {name: value - before[name] for name, value in drafts(server).items()}
    assert alone == [ask(without, prompt) for prompt in prompts]
    assert not drafts(without)
    num_accepted = sum(value for name, value in counted.items() if name.startswith("accepted"))
    assert counted["decoded_tokens_total"] == counted["decode_steps_total"] + num_accepted
    # The first token of a request comes with its prompt, and each of these asks the engine once.
    num_tokens = sum(said["usage"]["completion_tokens"] for said in alone)
    assert 0 <= num_tokens - len(prompts) - counted["decoded_tokens_total"] <= 2 * len(prompts)
    for origin in ("marker", "copy"):
        drafted, accepted = (counted[f'{event}_tokens_total{{origin="{origin}"}}'] for event in EVENTS)
        assert 0.2 * drafted < accepted <= drafted
    assert counted["decoded_tokens_total"] > 1.8 * counted["decode_steps_total"]
    with ThreadPoolExecutor(len(prompts)) as asking:
        together = list(asking.map(lambda prompt: ask(server, prompt), prompts))
    # Sums come out otherwise in other batches, so a near tie may fall the other way.
    assert sum(one == other for one, other in zip(alone, together, strict=True)) >= 0.9 * len(prompts)


EVENTS = ("drafted", "accepted")


@pytest.mark.parametrize("kind", REQUESTS)
def test_it_changes_nothing_beside(server: Any, without: LocalServer, kind: str) -> None:
    fields = REQUESTS[kind]
    if kind == "banned in the answer":
        token_id = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json")).encode(" 15").ids[-1]
        fields = {"logit_bias": {str(token_id): -100.0}}
    said = ask(server, **fields)
    assert said == ask(without, **fields)
    # Each of these is felt, or that would say nothing; where sampling is made certain, it is the greedy answer.
    is_certain = kind in (
        "plain",
        "certain by min_p",
        "certain by top_k",
        "unconstrained",
        "verifier",
        "memory",
    )
    assert (said["choices"] == ask(server)["choices"]) == is_certain


def test_log_probabilities_are_those_without(server: Any, without: LocalServer) -> None:
    def told(one: Any) -> list[dict[str, Any]]:
        body = {"messages": [{"role": "user", "content": PROBLEM}], "temperature": 0}
        answer = httpx.post(
            f"{one.url}/v1/chat/completions", json=body | {"logprobs": True, "top_logprobs": 3}, timeout=300
        )
        content: list[dict[str, Any]] = answer.json()["choices"][0]["logprobs"]["content"]
        return content

    for mine, other in zip(told(server), told(without), strict=True):
        assert mine["token"] == other["token"]
        assert mine["logprob"] == pytest.approx(other["logprob"], abs=1e-3)


def test_what_is_cut_is_the_beginning_of_the_whole(server: Any) -> None:
    whole = reasoning_of(server)
    for num_tokens in range(9, 70, 6):
        cut = reasoning_of(server, max_completion_tokens=num_tokens)
        assert whole.startswith(cut)
        assert num_tokens < len(cut) < len(whole)


def reasoning_of(server: Any, **fields: Any) -> str:
    body = {"messages": [{"role": "user", "content": PROBLEM}], "temperature": 0} | fields
    said = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=300).json()
    reasoning: str = said["choices"][0]["message"]["reasoning"]
    return reasoning


def test_a_seed_repeats(server: Any) -> None:
    first = [ask(server, seed=seed, temperature=1.0) for seed in range(8)]
    ask(server, "make 9 from 3 5 1", temperature=1.0)
    assert [ask(server, seed=seed, temperature=1.0) for seed in range(8)] == first
    # The model knows what it wants: of 400 seeds there are four different searches.
    assert len({repr(said) for said in first}) >= 2


def test_samples_have_the_same_distribution(server: Any, without: LocalServer) -> None:
    """The words at each of thirty places of 3,000 searches from either engine at temperature 1, near 90,000 words each.

    A G-test of homogeneity for each place, at a level of 1e-4 over all of them together. Where a word has a share of a
    half, a shift by 10 points is found with a probability of 0.999 (noncentrality 60.6, one degree of freedom).
    """
    before = drafts(server)
    ours, theirs = samples(server), samples(without)
    counted = {name: value - before[name] for name, value in drafts(server).items()}
    assert sum(value for name, value in counted.items() if name.startswith("accepted")) > NUM_SAMPLES
    tested = 0
    for place in range(30):
        mine, other = (
            Counter(words[place] for words in told if len(words) > place) for told in (ours, theirs)
        )
        statistic, degrees = homogeneity(mine, other)
        if degrees:
            tested += 1
            assert survival(statistic, degrees) > 1e-4 / 30, (
                place,
                mine.most_common(4),
                other.most_common(4),
            )
    assert tested >= 10


def samples(server: Any) -> list[list[str]]:
    """The first words of as many searches."""
    each = 10
    body = {
        "messages": [{"role": "user", "content": PROBLEM}],
        "temperature": 1.0,
        "n": each,
        "max_completion_tokens": 44,
    }

    def words(_: int) -> list[list[str]]:
        response = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=300)
        assert response.status_code == 200, response.text
        return [choice["message"]["reasoning"].split() for choice in response.json()["choices"]]

    with ThreadPoolExecutor(AT_ONCE // each) as asking:
        return [one for some in asking.map(words, range(NUM_SAMPLES // each)) for one in some]


def homogeneity(mine: Mapping[str, int], other: Mapping[str, int]) -> tuple[float, int]:
    """The G statistic of two counts, and its degrees of freedom; what is seldom seen counts as one kind."""
    both = Counter(mine) + Counter(other)
    kinds = [word for word, count in both.items() if count >= 20]
    rows: list[Sequence[int]] = [(mine.get(word, 0), other.get(word, 0)) for word in kinds]
    rest = tuple(
        sum(counts.values()) - sum(row[side] for row in rows) for side, counts in enumerate((mine, other))
    )
    if sum(rest) >= 20:
        rows.append(rest)
    sides = [sum(row[side] for row in rows) for side in (0, 1)]
    total = sum(sides)
    statistic = 2 * sum(
        count * math.log(count * total / (sum(row) * sides[side]))
        for row in rows
        for side, count in enumerate(row)
        if count
    )
    return statistic, len(rows) - 1


def survival(statistic: float, degrees: int) -> float:
    """The probability of a larger value under chi-square."""
    return float(chi2.sf(statistic, degrees))
