"""Which failures of a call may pass, and how long to wait for that."""

import random
import time
from email.utils import parsedate_to_datetime

import openai

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
REFUSES_ONE_REQUEST = (400, 413, 422)
"""Statuses that say something of this request, and nothing of the next."""


def may_pass(error: openai.APIError) -> bool:
    """Whether the same request may be answered later: refused for load, failed, or not reached."""
    if error.code == "insufficient_quota":
        return False
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def doubled_wait_s(tries: int, jitter: random.Random) -> float:
    """Seconds after so many tries: 1, 2, 4 up to 60, give or take a quarter."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**tries) * jitter.uniform(0.75, 1.25)


def told_wait_s(error: openai.APIError) -> float | None:
    """Seconds of `retry-after-ms` or `Retry-After` (RFC 9110, 10.2.3: a number or a date), None without either."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit_s)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None
