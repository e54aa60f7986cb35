"""Every text of every family, from problems to drills, comes back from Japanese and Chinese as it was."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.tasks.languages import in_english, in_language, language_of, words_of
from steiner.reasoning.verifiers.task import TaskVerifier
from steiner.training.model.tokenizer import build_tokenizer, family_words
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.traces.render import render
from steiner.training.traces.walk import sample_trace

languages = st.sampled_from(["ja", "zh"])
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer(family_words(dialogues=True, languages=["en", "ja", "zh"]), 2048)


@pytest.mark.parametrize("name", list(FAMILIES))
@given(seed=seeds, language=languages)
def test_there_and_back(name: str, seed: int, language: Any, tokenizer: Any) -> None:
    family, rng = FAMILIES[name], random.Random(seed)
    problem = family.generate(rng, 3)
    trace = sample_trace(family, problem, build_dag(family, problem), rng)
    drilled = [sections for _, (_, sections) in zip(range(4), family.drills(problem, rng), strict=False)]
    texts = [family.prompt(problem), family.draw_revision(problem, rng), trace.answer]
    for sections in [*(step.sections for step in trace.steps), *drilled]:
        texts += [sections.understanding, sections.next_step, sections.verification, sections.summary]
    for text in filter(None, texts):
        told = in_language(text, language)
        assert in_english(told) == text
        if language_of(text) is not None:
            assert told != text
            assert language_of(told) == language
        # Every word is one token, so that a problem is as long in each language.
        words = told.replace(",", " ,").split()
        assert len(tokenizer.encode(told, add_special_tokens=False)) == len(words)


@pytest.mark.parametrize("name", list(FAMILIES))
@given(seed=seeds, language=languages)
def test_a_search_is_judged_in_every_language_as_in_english(
    name: str, seed: int, language: Any, tokenizer: Any
) -> None:
    family, rng = FAMILIES[name], random.Random(seed)
    problem = family.generate(rng, 3)
    taught = sample_trace(family, problem, build_dag(family, problem), rng)
    verifier = TaskVerifier(family)

    def judged(spoken: Any) -> list[Any]:
        rendered = render(taught.told_in(spoken))
        text = f"{STEINER.reasoning_start}{rendered.reasoning}{STEINER.reasoning_end}{rendered.answer}"
        parser = Parser(STEINER.bind(tokenizer), section_texts(tokenizer.backend_tokenizer))
        parser.feed(tokenizer.encode(text, add_special_tokens=False))
        parser.close("stop")
        prompt = in_language(family.prompt(problem), spoken)
        assert verifier.knows(prompt)
        assert verifier.check_answer(prompt, rendered.answer) is True
        return [verifier.verify(prompt, parser.trace, step) for step in parser.trace.steps]

    assert judged(language) == judged("en")
    assert any(judged(language))


def test_nothing_else_is_spoken_than_words() -> None:
    assert all(word.strip() == word and " " not in word for word in words_of("ja") | words_of("zh"))
