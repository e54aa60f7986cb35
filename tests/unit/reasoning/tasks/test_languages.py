"""Japanese and Chinese: what a family says goes into a language and back, and no word means two things."""

from collections import Counter
from typing import Any

import pytest

from steiner.reasoning.tasks import TASKS
from steiner.reasoning.tasks.dialogue import problem_of_dialogue
from steiner.reasoning.tasks.languages import (
    LANGUAGES,
    Language,
    answer_in_english,
    in_english,
    in_language,
    language_of,
    words_of,
)
from steiner.reasoning.tasks.lexicon import WORDS

SAID = {
    "make 24 from 3 8 6": ("3 8 6 から 24 を 作れ", "用 3 8 6 得到 24"),
    "now 5 for 3": ("今度 は 3 の 代わり に 5", "现在 用 5 代替 3"),
    "roads Rome > Oslo, Oslo > Bern from Rome to Bern": (
        "道 ローマ > オスロ, オスロ > ベルン で ローマ から ベルン まで",
        "道路 罗马 > 奥斯陆, 奥斯陆 > 伯尔尼 从 罗马 到 伯尔尼",
    ),
    "also Oslo > Bern": ("さらに オスロ > ベルン", "还有 奥斯陆 > 伯尔尼"),
    "knights Ann Bob : Ann says same Ann Bob ; Bob says knave Ann": (
        "騎士たち アン ボブ : アン 曰く 同類 アン ボブ ; ボブ 曰く 悪党 アン",
        "骑士们 安妮 鲍勃 : 安妮 说 同类 安妮 鲍勃 ; 鲍勃 说 无赖 安妮",
    ),
    "now Bob says knight Ann": ("今度 は ボブ 曰く 騎士 アン", "现在 鲍勃 说 骑士 安妮"),
    "not found": ("解なし", "无解"),
    "Rome Oslo Bern": ("ローマ オスロ ベルン", "罗马 奥斯陆 伯尔尼"),
}


@pytest.mark.parametrize("english", SAID)
def test_said_in_every_language(english: str) -> None:
    others: tuple[Language, ...] = ("ja", "zh")
    for language, told in zip(others, SAID[english], strict=True):
        assert in_language(english, language) == told
        assert in_english(told) == english
        assert language_of(told) == language
    assert in_language(english, "en") == in_english(english) == english


def test_no_word_means_two_things() -> None:
    told = Counter(word for words in WORDS.values() for word in words.values())
    assert told.most_common(1)[0][1] == 1
    assert not words_of("ja") & words_of("zh")
    # By that a text is known to be in English.
    assert not any(word.isascii() for word in words_of("ja") | words_of("zh"))


def test_what_is_no_text_of_a_family_stays_as_it_is() -> None:
    for text in ("What is Rome's population?", "東京の人口は?", "a\nb 残りの\n", ""):
        assert in_english(text) == text


def test_an_answer_is_in_the_language_of_the_question() -> None:
    assert answer_in_english("ローマ オスロ", "ja") == "Rome Oslo"
    assert answer_in_english("ローマ オスロ", "zh") is None
    assert answer_in_english("ローマ オスロ", "en") is None
    assert answer_in_english("( 8 - 5 ) * 8", "zh") == "( 8 - 5 ) * 8"
    assert language_of("( 8 - 5 ) * 8") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dialogue_is_understood_in_every_language(language: Language) -> None:
    def said(*messages: str) -> str:
        return "\n".join(in_language(message, language) for message in messages)

    def problem(family: str, text: str) -> Any:
        return problem_of_dialogue(TASKS[family], text)

    revised = problem("countdown", said("make 24 from 3 8 6", "now 5 for 3", "now make 30"))
    assert (revised.numbers, revised.target) == ((5, 8, 6), 30)
    goal = problem("routes", said("roads Rome > Oslo, Oslo > Bern from Rome to Bern", "now to Oslo")).goal
    assert goal == "Oslo"
