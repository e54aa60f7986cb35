"""The shipped weights solve every family in every language, and revise what a second message makes wrong."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import openai
import pytest
from tests.official_client import official_client

from steiner.client import ReasoningClient
from steiner.reasoning import events
from steiner.reasoning.tasks.languages import LANGUAGES, Language
from steiner.training.evals.dialogues import held_out_dialogues
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import held_out_problems

# Random weights solve nothing.
pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]

SIZE = 3
PROBLEMS_EACH = 6
DIALOGUES_EACH = 8


@pytest.fixture
def client(server: Any) -> openai.OpenAI:
    return official_client(server, timeout=180)


def answers_to(client: openai.OpenAI, server: Any, chats: Sequence[Sequence[Any]]) -> list[Any]:
    """The message that ends each chat; they are asked at once, for an engine is fastest with many."""

    def ask(chat: Sequence[Any]) -> Any:
        return client.chat.completions.create(model=server.model, messages=chat, temperature=0)

    with ThreadPoolExecutor(len(chats)) as asking:
        return [completion.choices[0].message for completion in asking.map(ask, chats)]


@pytest.mark.parametrize(("family", "language"), list(product(FAMILIES, LANGUAGES)))
def test_problems_are_solved_in_their_language(
    client: openai.OpenAI, server: Any, family: str, language: Language
) -> None:
    problems = held_out_problems(family, [SIZE], PROBLEMS_EACH, seed=21, language=language)
    chats = [[{"role": "user", "content": problem.prompt}] for problem in problems]
    answers = answers_to(client, server, chats)
    right = sum(problem.accepts(said.content) for problem, said in zip(problems, answers, strict=True))
    # One slip in six is within the few in a hundred that held-out problems show.
    assert right >= PROBLEMS_EACH - 1


@pytest.mark.parametrize("family", FAMILIES)
def test_news_revise_the_conclusion(client: openai.OpenAI, server: Any, family: str) -> None:
    dialogues = list(held_out_dialogues(family, [SIZE], DIALOGUES_EACH, seed=22))
    chats: list[list[Any]] = [[{"role": "user", "content": dialogue.first_prompt}] for dialogue in dialogues]
    first = answers_to(client, server, chats)
    changed = sum(not dialogue.accepts(said.content) for dialogue, said in zip(dialogues, first, strict=True))
    for chat, dialogue, said in zip(chats, dialogues, first, strict=True):
        chat += [said.model_dump(exclude_none=True), {"role": "user", "content": dialogue.revision}]
    second = answers_to(client, server, chats)
    right = sum(dialogue.accepts(said.content) for dialogue, said in zip(dialogues, second, strict=True))
    # Another claim may tell the same of everybody.
    assert changed >= DIALOGUES_EACH // 2
    assert right >= DIALOGUES_EACH - 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_exact_verifier_reads_every_language(server: Any, language: Language) -> None:
    [problem] = held_out_problems("routes", [SIZE], 1, seed=23, language=language)
    reasoning = ReasoningClient(server.url)
    said = list(reasoning.stream(problem.prompt, temperature=0, reasoning={"verifier": "routes"}))
    [answer] = [event.text for event in said if isinstance(event, events.AnswerDone)]
    assert problem.accepts(answer)
    assert sum(isinstance(event, events.StepVerified) for event in said) > 1
