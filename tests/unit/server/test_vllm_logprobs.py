"""Log probabilities as vLLM tells them, and what of them is told on."""

import math

from vllm.logprobs import Logprob

from steiner.server.engine.vllm_engine import LEAST_LOGPROB, _told


def test_masked_tokens_are_not_among_the_likeliest() -> None:
    forced = {7: Logprob(0.0, 1), 0: Logprob(-math.inf, 2), 1: Logprob(-math.inf, 3)}
    free = {5: Logprob(-2.5, 3), 4: Logprob(-0.1, 1), 9: Logprob(-1.5, 2)}
    unlikely = {5: Logprob(-20_000.0, 3), 4: Logprob(1e-9, 1)}
    told = _told([forced, free, unlikely], 2)
    assert told is not None
    assert [one.logprob for one in told] == [0.0, -2.5, LEAST_LOGPROB]
    assert [one.top for one in told] == [
        ((7, 0.0),),
        ((4, -0.1), (9, -1.5)),
        ((4, 0.0), (5, LEAST_LOGPROB)),
    ]


def test_nothing_is_told_that_nobody_asked_for() -> None:
    assert _told(None, 2) is None
    assert _told([{7: Logprob(0.0, 1)}], None) is None
    told = _told([{7: Logprob(0.0, 1)}], 0)
    assert told is not None
    assert told[0].top == ()
