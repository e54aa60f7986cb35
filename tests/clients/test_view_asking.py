"""Ask, watch, stop, and come back after a lost connection."""

from __future__ import annotations

import re
from typing import Any

import httpx

from .cutting_proxy import CuttingProxy
from .test_browser import last_event_id

KEY = "sk-steiner-of-a-test"


def test_what_was_asked_grows_as_a_tree(shown: Any, stage: Any) -> None:
    view = shown(stage.with_backtrack)
    nodes = view.nodes()
    assert [(node.node, node.parent, node.level, node.standing, node.is_live) for node in nodes] == [
        (0, "unknown", 1, None, True),
        (1, "0", 2, "verified", True),
        (2, "1", 3, "refuted", False),
        (3, "1", 3, "verified", True),
        (-1, "3", 4, None, True),
    ]
    assert view.returns() == [(2, 1)]
    assert "make 22 from 15 4 11" in nodes[0].text
    assert "back to Step 1" in nodes[2].text
    assert view.page.locator(".outcome").inner_text() == "Answer: make 22"
    assert [view.gauge(name) for name in ("steps", "backtracks", "depth")] == ["3 / 32", "1 / 16", "2 / 16"]
    assert view.gauge("max_reasoning_tokens") == "60"


def test_a_step_opens_into_its_sections(shown: Any, stage: Any) -> None:
    view = shown(stage.with_backtrack)
    view.page.locator('[data-node="2"]').click()
    sections = view.page.locator(".detail .part").evaluate_all(
        "(parts) => parts.map((part) => [part.dataset.role, part.querySelector('.text').textContent])"
    )
    roles = ("understanding", "next_step", "verification", "summary")
    assert sections == [[role, "left 2"] for role in roles]
    detail = view.detail()
    for said in (
        "Step 2",
        "refuted",
        "continues Step 1",
        "19 tokens",
        "2 tokens",
        "Depth 2",
        "back to Step 1",
    ):
        assert said in detail
    assert re.search(r"\d\.\d\d s", detail)
    timeline = view.page.locator(".timeline li").all_inner_texts()
    assert [line.split("\n")[:2] for line in timeline[:3]] == [
        *(["Step 1", "verified"], ["Step 2", "refuted"], ["Step 3", "verified"])
    ]
    assert [line.split("\n")[0] for line in timeline[3:]] == ["Answer, from Step 3", "ended by the model"]


def test_what_the_server_forced_is_told_apart(shown: Any, stage: Any) -> None:
    again = stage.step()
    behind = again[again.index("<step_verification_end>") :]
    view = shown(
        f"<start>{stage.step('refuted')}<backtrack>0{again}",
        f"{behind}<backtrack>0{stage.step(number=3)}<end>22<eot>",
    )
    assert [node.is_forced for node in view.nodes()] == [False, False, True, False, False]
    view.page.locator('[data-node="2"]').click()
    detail = view.detail()
    assert "by force" in detail
    assert "refuted: repeats step 1" in detail
    assert "loop: refuted by the server step 2 repeats step 1: refuted" in detail


def test_limits_and_checker_reach_the_server(view: Any, stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    view.open(f"{served.url}/view")
    view.page.get_by_text("Single limits").first.click()
    view.page.get_by_label("Steps").first.fill("7")
    view.page.get_by_label("Exact checker outranks the model").first.check()
    view.page.get_by_label("Effort").first.select_option("low")
    with view.page.expect_request("**/v1/reasoning") as asked:
        view.ask()
    body = asked.value.post_data_json
    assert body["reasoning"] == {"max_steps": 7, "verifier": "auto"}
    assert (body["model"], body["reasoning_effort"]) == ("tiny", "low")
    view.wait_for("done")
    assert view.gauge("steps").endswith("/ 7")


def test_an_example_in_the_readers_language(view: Any, stage: Any, serve: Any) -> None:
    view.open(f"{serve(stage.engine(stage.one_step)).url}/view")
    view.page.locator("#language").select_option("ja")
    assert view.page.get_by_role("button", name="質問する").count() == 1
    assert view.page.evaluate("document.documentElement.lang") == "ja"
    view.page.locator('select[name="example"] option').nth(1).wait_for(state="attached")
    view.page.locator('select[name="example"]').select_option(index=1)
    assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", view.page.locator("textarea").input_value())


def test_stop_ends_it_on_the_server(view: Any, stage: Any, serve: Any, eventually: Any) -> None:
    held = stage.engine(f"<start>{stage.step()}<proceed><step_start>", holds=True)
    view.open(f"{serve(held).url}/view")
    view.ask()
    view.page.wait_for_selector('[data-node="2"]')
    view.page.get_by_role("button", name="Stop").click()
    view.wait_for("cancelled")
    eventually(lambda: held.aborted)
    assert [node.node for node in view.nodes()] == [0, 1, 2]
    assert view.page.get_by_role("button", name="Stop").count() == 0


def test_a_lost_connection_leaves_no_gap(view: Any, stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    proxy = CuttingProxy(int(served.url.rsplit(":", 1)[1]), marker="/v1/reasoning", cut_after=3000)
    try:
        view.open(f"{proxy.url}/view")
        view.ask()
        view.wait_for("done")
        saved = view.save("JSON")
        generation = view.page.url.rsplit("/", 1)[1]
        assert (
            httpx.get(f"{served.url}/v1/reasoning/{generation}").json()
            == httpx.Response(200, content=saved).json()
        )
        started, resumed, *_ = map(last_event_id, proxy.heads)
    finally:
        view.page.goto("about:blank")
        proxy.close()
    assert started is None
    # A browser may drop what it had of the broken stream, and then reads it again.
    assert resumed is not None, "the connection was not cut"
    view.expect_error("ERR_INCOMPLETE_CHUNKED_ENCODING")


def test_a_refusal_is_shown(view: Any, stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    view.open(f"{served.url}/view")
    view.page.get_by_text("Single limits").first.click()
    view.page.get_by_label("Reasoning tokens").first.fill("3")
    view.ask()
    view.page.wait_for_selector('[data-state="error"] >> text=max_reasoning_tokens (3)')
    view.expect_error("status of 400")


def test_the_key_goes_in_a_header_and_stays_in_the_tab(view: Any, stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), api_key=[KEY])
    asked: list[tuple[str, str | None]] = []
    view.page.on("request", lambda request: asked.append((request.url, request.headers.get("authorization"))))
    with view.page.expect_response("**/v1/models") as refused:
        view.open(f"{served.url}/view")
    assert refused.value.status == 401
    # It asks for one by itself.
    view.page.get_by_label("API key").wait_for()
    view.expect_error("status of 401")
    view.page.get_by_label("API key").fill(KEY)
    view.ask()
    view.wait_for("done")
    assert (f"{served.url}/v1/reasoning", f"Bearer {KEY}") in asked
    assert not [url for url, _ in asked if KEY in url]
    assert KEY not in view.page.url
    assert view.page.evaluate("JSON.stringify(localStorage) + document.cookie") == "{}"
    # A permalink of the same tab reads with the same key.
    view.page.reload()
    view.wait_for("done")
    assert [node.node for node in view.nodes()] == [0, 1, -1]


def test_a_link_asks_for_the_key_and_then_shows(view: Any, stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), api_key=[KEY])
    body = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
    answer = httpx.post(f"{served.url}/v1/reasoning", json=body, headers={"Authorization": f"Bearer {KEY}"})
    view.open(f"{served.url}/view/{answer.headers['content-location'].split('/')[1]}")
    view.wait_for("error")
    view.page.get_by_label("API key").fill(KEY)
    view.page.get_by_label("API key").press("Tab")
    view.wait_for("done")
    assert [node.node for node in view.nodes()] == [0, 1, -1]
    assert all("status of 401" in error for error in view.errors)
    view.errors.clear()
