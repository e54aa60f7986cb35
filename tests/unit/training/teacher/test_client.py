"""Calls over real HTTP: what is sent, what is tried again and when, what ends the run; and nothing is paid twice."""

import asyncio
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
from tests.played_teacher import Answer, Play, PlayedTeacher, completion, in_turn, refusal

from steiner.training.teacher.client import RefusedError, open_client
from steiner.training.teacher.config import TeachError, TeacherSettings
from steiner.training.teacher.price import CapReachedError

Start = Callable[[Play], PlayedTeacher]


async def test_what_is_sent_and_what_comes_back(play_teacher: Start, ask_at: Any, call_of: Any) -> None:
    played = play_teacher(in_turn(completion("two", finish_reason="length")))
    async with ask_at(played.url, extra_body={"top_k": 5}, temperature=0.5) as teacher:
        reply = await teacher.ask(call_of(number=3))
    assert played.requests == [
        {
            "model": "played",
            "messages": [{"role": "user", "content": "1 + 1?"}],
            "max_completion_tokens": 1000,
            "top_k": 5,
            "seed": 3,
            "temperature": 0.5,
        }
    ]
    assert (reply.content, reply.cut_off, reply.reasoning_steps) == ("two", True, None)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cost) == (100, 50, pytest.approx(0.0007))
    assert teacher.purse.spent == reply.cost


async def test_what_an_endpoint_does_not_know_is_not_sent(
    play_teacher: Start, ask_at: Any, call_of: Any
) -> None:
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(
        played.url, send_seed=False, temperature=None, token_limit_field="max_tokens"
    ) as teacher:
        await teacher.ask(call_of())
    assert set(played.requests[0]) == {"model", "messages", "max_tokens"}


async def test_the_key_comes_from_the_environment_and_none_is_sent_without(
    play_teacher: Start, ask_at: Any, call_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url) as teacher:
        await teacher.ask(call_of())
    monkeypatch.setenv("TEACHER_KEY", "sk-teacher")
    async with ask_at(played.url, api_key_env="TEACHER_KEY") as teacher:
        await teacher.ask(call_of(number=1))
    assert played.authorizations == [None, "Bearer sk-teacher"]
    monkeypatch.setenv("TEACHER_KEY", "")
    with pytest.raises(TeachError, match=r"teacher.api_key_env: the variable TEACHER_KEY is not set"):
        open_client(TeacherSettings(base_url=played.url, model="m", api_key_env="TEACHER_KEY"))


async def test_tokens_are_estimated_where_the_teacher_does_not_tell(
    play_teacher: Start, ask_at: Any, call_of: Any
) -> None:
    played = play_teacher(in_turn(completion("twelve bytes", usage=None)))
    async with ask_at(played.url) as teacher:
        reply = await teacher.ask(call_of())
    assert (reply.prompt_tokens, reply.completion_tokens) == (2 + 4, 3)


async def test_an_answer_is_paid_for_once_in_all_runs(play_teacher: Start, ask_at: Any, call_of: Any) -> None:
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url) as teacher:
        # Two questions with the same words, at the same time.
        first = await asyncio.gather(*(teacher.ask(call_of()) for _ in range(5)))
        await teacher.ask(call_of(number=1))
    async with ask_at("http://127.0.0.1:9/v1") as teacher:
        assert [await teacher.ask(call_of())] * 5 == first
        assert teacher.purse.spent == pytest.approx(2 * 0.0007)
    assert len(played.requests) == 2


LOAD = [
    refusal(429, "slow down", retry_after="7"),
    refusal(503, "overloaded", retry_after_ms="2500"),
    refusal(500, "oops"),
    refusal(408, "too slow"),
    refusal(409, "busy"),
]


async def test_what_may_pass_is_tried_again_after_what_the_teacher_says(
    play_teacher: Start, ask_at: Any, call_of: Any, clock: Any
) -> None:
    played = play_teacher(in_turn(*LOAD, completion("two")))
    async with ask_at(played.url) as teacher:
        assert (await teacher.ask(call_of())).content == "two"
    assert teacher.num_retries == 5
    assert len(played.requests) == 6
    assert clock.slept_s[:2] == [7.0, 2.5]
    # From the third try on nobody said how long: 4, 8 and 16 seconds, give or take a quarter.
    bounds = zip((4, 8, 16), clock.slept_s[2:], strict=True)
    assert all(0.75 * wait <= slept <= 1.25 * wait for wait, slept in bounds)


async def test_a_date_to_come_back_at_is_a_wait(
    play_teacher: Start, ask_at: Any, call_of: Any, clock: Any
) -> None:
    later = refusal(429, "slow down", retry_after=formatdate(time.time() + 90, usegmt=True))
    earlier = refusal(429, "slow down", retry_after=formatdate(time.time() - 90, usegmt=True))
    played = play_teacher(in_turn(later, earlier, completion("two")))
    async with ask_at(played.url) as teacher:
        await teacher.ask(call_of())
    [slept] = clock.slept_s
    assert 60 < slept <= 90


async def test_a_wait_beyond_the_limit_ends_the_run(
    play_teacher: Start, ask_at: Any, call_of: Any, clock: Any
) -> None:
    played = play_teacher(in_turn(refusal(429, "daily limit", retry_after="86400")))
    async with ask_at(played.url, max_wait_s=600) as teacher:
        with pytest.raises(
            TeachError, match=r"in 86400 seconds, and teacher.max_wait_s is 600: .*daily limit"
        ):
            await teacher.ask(call_of())
    assert clock.slept_s == []


async def test_a_pause_is_kept_by_every_call(
    play_teacher: Start, ask_at: Any, call_of: Any, clock: Any
) -> None:
    played = play_teacher(in_turn(refusal(429, "slow down", retry_after="30"), completion("two")))
    async with ask_at(played.url, concurrency=1) as teacher:
        await asyncio.gather(*(teacher.ask(call_of(number=n)) for n in range(3)))
    assert clock.slept_s == [30.0]
    assert len(played.requests) == 4


async def test_tries_are_counted_out(play_teacher: Start, ask_at: Any, call_of: Any) -> None:
    played = play_teacher(in_turn(refusal(503, "overloaded")))
    async with ask_at(played.url, max_retries=2) as teacher:
        with pytest.raises(TeachError, match=r"failed 3 times in a row, at last with: .*503.* overloaded"):
            await teacher.ask(call_of())
        with pytest.raises(TeachError, match="failed 3 times"):
            await teacher.ask(call_of(number=1))
    assert len(played.requests) == 3
    assert teacher.purse.reserved == 0


async def test_a_server_that_is_away_is_tried_again(ask_at: Any, call_of: Any, new_port: int) -> None:
    async with ask_at(f"http://127.0.0.1:{new_port}/v1", max_retries=1) as teacher:
        with pytest.raises(TeachError, match=r"failed 2 times in a row, at last with: Connection error\."):
            await teacher.ask(call_of())


async def test_a_call_that_takes_too_long_is_tried_again(
    play_teacher: Start, ask_at: Any, call_of: Any
) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow_at_first(_: dict[str, Any]) -> Answer:
        if not asked.is_set():
            asked.set()
            release.wait(10)
        return completion("two")

    played = play_teacher(slow_at_first)
    async with ask_at(played.url, timeout_s=0.2) as teacher:
        assert (await teacher.ask(call_of())).content == "two"
    release.set()
    assert teacher.num_retries >= 1


@pytest.mark.parametrize(
    "answer",
    [
        refusal(401, "wrong key"),
        refusal(403, "not yours"),
        refusal(404, "no such model"),
        refusal(400, "unknown field"),
        refusal(429, "you have no credit left", code="insufficient_quota"),
    ],
    ids=lambda answer: str(answer.status),
)
async def test_what_no_other_call_would_survive_ends_the_run_at_once(
    play_teacher: Start, ask_at: Any, call_of: Any, answer: Answer
) -> None:
    played = play_teacher(in_turn(answer))
    async with ask_at(played.url, concurrency=1) as teacher:
        calls = (teacher.ask(call_of(number=number)) for number in range(3))
        results = await asyncio.gather(*calls, return_exceptions=True)
    message = answer.body["error"]["message"]
    assert all(isinstance(result, TeachError) and message in str(result) for result in results)
    assert len(played.requests) == 1


async def test_one_refused_request_is_left_out_once_others_were_answered(
    play_teacher: Start, ask_at: Any, call_of: Any
) -> None:
    def filtered(body: dict[str, Any]) -> Answer:
        return refusal(400, "filtered") if "bomb" in str(body["messages"]) else completion("two")

    played = play_teacher(filtered)
    async with ask_at(played.url) as teacher:
        await teacher.ask(call_of())
        for _ in range(2):
            with pytest.raises(RefusedError, match="filtered"):
                await teacher.ask(call_of("a bomb?"))
        await teacher.ask(call_of(number=1))
    assert len(played.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>hello</html>", headers={"content-type": "text/html"}),
        Answer(b'{"id": "chatcm'),
        Answer({"object": "list", "data": []}),
        completion("two", choices=[]),
    ],
    ids=["a page", "torn JSON", "another object", "no choice"],
)
async def test_what_is_no_chat_completion_is_said_so(
    play_teacher: Start, ask_at: Any, call_of: Any, answer: Answer
) -> None:
    played = play_teacher(in_turn(answer))
    async with ask_at(played.url) as teacher:
        with pytest.raises(TeachError, match="sent no chat completion; is it OpenAI-compatible"):
            await teacher.ask(call_of())


async def test_no_call_is_made_that_might_exceed_the_cap(
    play_teacher: Start, ask_at: Any, call_of: Any
) -> None:
    # A call may cost 0.010012 and does cost 0.0007: one at a time, until the most of one is not left.
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url, cap=0.0125, concurrency=4) as teacher:
        calls = (teacher.ask(call_of(number=number)) for number in range(10))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, CapReachedError) for result in results] == [False] * 4 + [True] * 6
    assert len(played.requests) == 4
    assert teacher.purse.spent == pytest.approx(4 * 0.0007)


async def test_the_account_sees_no_more_calls_a_minute_than_allowed(
    play_teacher: Start, ask_at: Any, call_of: Any, clock: Any
) -> None:
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url, limits={"requests_per_minute": 3}) as teacher:
        await asyncio.gather(*(teacher.ask(call_of(number=number)) for number in range(7)))
    assert len(played.requests) == 7
    assert clock.now_s == 100 + 120


async def test_an_answer_corrects_what_was_estimated_for_the_minute(
    play_teacher: Start, ask_at: Any, call_of: Any, clock: Any
) -> None:
    # 1,006 tokens are estimated for a call, and 150 are told.
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url, limits={"tokens_per_minute": 1_500}, concurrency=1) as teacher:
        for number in range(5):
            await teacher.ask(call_of(number=number))
    assert clock.slept_s == [60.0]


async def test_who_waits_for_a_turn_is_told_at_once_that_the_run_ends(
    play_teacher: Start, ask_at: Any, call_of: Any
) -> None:
    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url) as teacher:
        forever = asyncio.Event()

        async def sleep(seconds: float) -> None:
            await forever.wait()

        teacher.pace.sleep = sleep
        teacher.pace.pause(1_000)
        calls = [asyncio.ensure_future(teacher.ask(call_of(number=number))) for number in range(3)]
        while teacher.purse.under_way != 3:
            await asyncio.sleep(0)
        teacher.stop(TeachError("Interrupted."))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(result) for result in results] == ["Interrupted."] * 3
    assert played.requests == []
    assert teacher.purse.under_way == 0


async def test_an_answer_that_cannot_be_kept_ends_the_run(
    play_teacher: Start, ask_at: Any, call_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    played = play_teacher(in_turn(completion("two")))
    async with ask_at(played.url, concurrency=1) as teacher:
        monkeypatch.setattr("steiner.training.teacher.journal.os.fsync", full)
        for number in range(2):
            with pytest.raises(
                TeachError, match=r"journal.jsonl: No space left on device; the last answer is lost"
            ):
                await teacher.ask(call_of(number=number))
    assert len(played.requests) == 1
