"""A browser's EventSource: named events, a connection that breaks and is taken up again, and an end."""

from __future__ import annotations

from typing import Any, get_args

import httpx
import pytest

from steiner.client.event_stream import EventStreamDecoder, Message
from steiner.reasoning.events import EVENT_ADAPTER, Event

from .cutting_proxy import CuttingProxy
from .documented import blocks

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
NAMES = [variant.model_fields["type"].default for variant in get_args(get_args(Event)[0])]
FOLLOW = """([url, names]) => new Promise((resolve) => {
  %s
  const seen = [];
  follow(url, names, (event) => seen.push(event), () => resolve(seen));
})"""


def finished_stream(served: Any) -> list[Message]:
    return EventStreamDecoder().feed(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)


def id_of(messages: list[Message]) -> str:
    started = EVENT_ADAPTER.validate_json(messages[0].data)
    assert started.type == "reasoning.started"
    return started.id


def last_event_id(head: str) -> str | None:
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    return {name.lower(): value for name, value in fields.items()}.get("last-event-id")


def test_an_event_source_loses_nothing_and_comes_to_an_end(stage: Any, serve: Any, page: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    whole = finished_stream(served)
    proxy = CuttingProxy(int(served.url.rsplit(":", 1)[1]), marker="/events", cut_after=3000)
    try:
        # Any page of this origin will do.
        page.goto(f"{proxy.url}/health")
        [follow] = blocks("A browser", "javascript")
        seen = page.evaluate(FOLLOW % follow, [f"{proxy.url}/v1/reasoning/{id_of(whole)}/events", NAMES])
    finally:
        page.goto("about:blank")
        proxy.close()
    assert seen == [EVENT_ADAPTER.validate_json(message.data).model_dump(mode="json") for message in whole]
    first, second, third = map(last_event_id, proxy.heads)
    assert first is None
    assert 0 < int(second or 0) < len(whole), "the connection was not cut in the middle"
    # It came back once more after the last event, and was answered 204.
    assert third == str(len(whole))


@pytest.mark.parametrize("allowed", [True, False])
def test_a_page_of_another_origin_needs_leave(stage: Any, serve: Any, page: Any, allowed: bool) -> None:
    elsewhere = serve(stage.engine(stage.one_step)).url
    served = serve(stage.engine(stage.one_step), **({"allowed_origins": [elsewhere]} if allowed else {}))
    whole = finished_stream(served)
    page.goto(f"{elsewhere}/health")
    # From just before the end, so that the browser need not wait to learn that there is no more.
    url = f"{served.url}/v1/reasoning/{id_of(whole)}"
    status = page.evaluate(
        """([url, last]) => fetch(`${url}/events`, {headers: {"Last-Event-ID": last}}).then(
          (answer) => answer.text().then(() => answer.status), () => "refused")""",
        [url, str(len(whole) - 1)],
    )
    assert status == (200 if allowed else "refused")
    trace = page.evaluate("(url) => fetch(url).then((answer) => answer.json(), () => null)", url)
    assert (trace is not None) == allowed
