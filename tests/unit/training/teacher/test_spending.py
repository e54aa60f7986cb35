"""Pace, purse, journal, estimates: what stands between a run and a bill."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from steiner.training.model.checkpoint import save_tokenizer
from steiner.training.teacher.config import Completions, Price, TeachError
from steiner.training.teacher.journal import Journal, Reply, request_key
from steiner.training.teacher.price import CapReachedError, Purse, cost, prompt_tokens, rule, token_counter
from steiner.training.teacher.question import is_right

PRICE = Price(per_million_prompt_tokens=2, per_million_completion_tokens=10, cap=1)


async def test_no_minute_sees_more_requests_than_allowed(clock: Any) -> None:
    pace = clock.pace(requests_per_minute=3)
    times = []
    for _ in range(9):
        times.append((await pace.turn(1)).at_s)
        clock.now_s += 7
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[3:], strict=False))
    assert times[:4] == [100, 107, 114, 160]


async def test_tokens_count_as_estimated_until_they_are_known(clock: Any) -> None:
    pace = clock.pace(tokens_per_minute=100)
    first = await pace.turn(90)
    first.num_tokens = 40
    assert (await pace.turn(60)).at_s == 100
    assert (await pace.turn(1)).at_s == 160


async def test_what_is_larger_than_a_minute_goes_alone(clock: Any) -> None:
    pace = clock.pace(tokens_per_minute=100)
    assert (await pace.turn(500)).at_s == 100
    assert (await pace.turn(500)).at_s == 160


async def test_a_pause_is_for_everybody(clock: Any) -> None:
    pace = clock.pace()
    pace.pause(30)
    pace.pause(10)
    assert (await pace.turn(1)).at_s == 130
    assert (await pace.turn(1)).at_s == 130


def test_the_cost_of_a_call() -> None:
    assert cost(PRICE, 1_000_000, 0) == 2
    assert cost(PRICE, 500, 100) == pytest.approx(0.002)


async def test_what_is_set_aside_and_spent_stays_below_the_cap() -> None:
    purse = Purse(PRICE, spent=0.5)
    await purse.reserve(0.3)
    waiting = asyncio.ensure_future(purse.reserve(0.21))
    await asyncio.sleep(0)
    assert not waiting.done()
    purse.settle(0.3, 0.1)
    await waiting
    assert [purse.spent, purse.reserved] == pytest.approx([0.6, 0.21])
    purse.settle(0.21, 0.21)
    with pytest.raises(
        CapReachedError, match=r"cap is 1 USD: 0\.8100 is spent, and the next call may cost 0\.2000"
    ):
        await purse.reserve(0.2)
    await purse.reserve(0.19)


async def test_who_waits_for_money_is_told_when_it_is_gone() -> None:
    purse = Purse(PRICE)
    await purse.reserve(0.9)
    waiting = [asyncio.ensure_future(purse.reserve(0.5)) for _ in range(2)]
    await asyncio.sleep(0)
    purse.settle(0.9, 0.9)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, CapReachedError) for result in results)


async def test_a_free_teacher_needs_no_money() -> None:
    purse = Purse(Price(per_million_prompt_tokens=0, per_million_completion_tokens=0, cap=0))
    for _ in range(3):
        await purse.reserve(0.0)


def test_four_ascii_characters_are_a_token_and_any_other_is_one() -> None:
    assert [rule(text) for text in ("", "abcd", "abcde", "答案", "答a")] == [0, 1, 2, 2, 2]


def test_the_teachers_own_tokenizer_counts(tokenizer: Any, tmp_path: Path) -> None:
    save_tokenizer(tokenizer, tmp_path / "tokenizer")
    count = token_counter(tmp_path / "tokenizer")
    text = "make 22 from 15 4 11"
    assert count(text) == len(tokenizer.encode(text, add_special_tokens=False)) != rule(text)
    assert prompt_tokens(count, [text, text]) == 2 * (count(text) + 4)
    assert token_counter(None) is rule
    (tmp_path / "empty").mkdir()
    with pytest.raises(TeachError, match=r"teacher\.tokenizer: .*empty holds no tokenizer"):
        token_counter(tmp_path / "empty")


def reply(content: str, **fields: Any) -> Reply:
    return Reply(**{"kind": "attempt", "content": content, "reasoning_steps": None, "cut_off": False,
                    "prompt_tokens": 5, "completion_tokens": 7, "cost": 0.25, **fields})  # fmt: skip


def test_the_journal_gives_back_what_was_paid_for(tmp_path: Path) -> None:
    path = tmp_path / "run" / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("a", reply("eins\nzwei 答"))
        journal.add("b", reply("", kind="hidden", reasoning_steps=[{"id": 1}]))
    with Journal(path) as journal:
        assert journal.get("a") == reply("eins\nzwei 答")
        assert journal.get("b") == reply("", kind="hidden", reasoning_steps=[{"id": 1}])
        assert journal.get("c") is None
        assert journal.spent == 0.5
        assert (journal.spending["attempt"].calls, journal.spending["hidden"].completion_tokens) == (1, 7)


def test_a_torn_last_line_is_cut_off_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("a", reply("one"))
        journal.add("b", reply("two"))
    whole = path.read_bytes()
    for torn in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:torn])
        with Journal(path) as journal:
            assert journal.get("a") == reply("one")
            assert journal.get("b") is None
            journal.add("b", reply("two"))
        assert path.read_bytes() == whole


def test_a_spoilt_line_and_a_second_process_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"key": "a"}\n')
    with pytest.raises(TeachError, match="line 1: not an answer"):
        Journal(path)
    path.write_text("")
    with Journal(path), pytest.raises(TeachError, match="another process"):
        Journal(path)


def test_the_key_is_all_that_is_sent() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}], "temperature": 1.0}
    others = [
        (body | {"model": "n"}, 0),
        (body | {"temperature": 0.5}, 0),
        (body, 1),
        (body | {"seed": 1}, 0),
    ]
    keys = {request_key(one, number) for one, number in [(body, 0), *others]}
    assert len(keys) == 5
    assert request_key(dict(reversed(body.items())), 0) in keys


@pytest.mark.parametrize(
    ("judge", "answer", "right", "expected"),
    [
        ("text", " The  Answer. ", "the answer", True),
        ("text", "$42$", "42", True),
        ("text", "", "", False),
        ("text", "x = 4", "4", False),
        ("number", "1,234.50 metres", "1234.5", True),
        ("number", "x = -3/4", "-0.75", True),
        ("number", "3 or 4", "3", False),
        ("number", "1/0", "1", False),
        ("number", "none", "none", False),
    ],
)
def test_answers(judge: Any, answer: str, right: str, expected: bool) -> None:
    assert is_right(Completions(judge=judge), answer, right) is expected


def test_the_answer_within_an_answer() -> None:
    settings = Completions(answer_pattern=r"\\boxed\{(.*?)\}")
    assert is_right(settings, r"so it is \boxed{7} indeed", "7")
    assert not is_right(settings, "7", "7")
