"""Scripts of other origins: kept out by default, let in by setting, with what an event stream needs."""

from typing import Any

import httpx
import pytest

from steiner.server.access.keys import hash_key

ORIGIN = "https://chat.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,last-event-id",
}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    keys = [{"name": "alice", "sha256": hash_key("a")}]
    return serve(stage.engine(stage.one_step), allowed_origins=[ORIGIN], api_keys=keys)


def test_by_default_no_origin_is_let_in(stage: Any, serve: Any) -> None:
    closed = serve(stage.engine(stage.one_step))
    for answer in (
        httpx.options(f"{closed.url}/v1/reasoning", headers=PREFLIGHT),
        httpx.get(f"{closed.url}/v1/models", headers={"Origin": ORIGIN}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_browser_asks_first_and_needs_no_key_for_that(served: Any) -> None:
    answer = httpx.options(f"{served.url}/v1/reasoning", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type", "last-event-id"} <= set(allowed.replace(" ", "").split(","))
    assert "access-control-allow-credentials" not in answer.headers


def test_scripts_may_read_the_limits_also_of_a_refusal(served: Any) -> None:
    for key, status in (("a", 200), ("wrong", 401)):
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {key}"}
        answer = httpx.get(f"{served.url}/v1/models", headers=headers)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "retry-after" in answer.headers["access-control-expose-headers"]


def test_another_origin_stays_outside(served: Any) -> None:
    headers = PREFLIGHT | {"Origin": "https://other.example"}
    assert httpx.options(f"{served.url}/v1/reasoning", headers=headers).status_code == 400
    headers = {"Origin": "https://other.example", "Authorization": "Bearer a"}
    answer = httpx.get(f"{served.url}/v1/models", headers=headers)
    assert "access-control-allow-origin" not in answer.headers
