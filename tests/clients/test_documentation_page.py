"""/docs in a browser: every endpoint is there, an example can be tried, and nothing comes from elsewhere."""

import json
from typing import Any


def test_an_example_is_tried_in_the_browser(stage: Any, serve: Any, page: Any) -> None:
    served = serve(stage.engine(stage.one_step, per_update=10))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.url}/docs")
    page.wait_for_selector(".opblock")
    document = page.request.get(f"{served.url}/openapi.json").json()
    assert page.locator(".opblock").count() == sum(len(methods) for methods in document["paths"].values())
    operation = page.locator("#operations-chat-create_chat_completion_v1_chat_completions_post")
    operation.locator(".opblock-summary-control").click()
    operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table .response-col_description code").first
    answer.wait_for()
    assert json.loads(answer.inner_text())["choices"][0]["message"]["content"] == "22"
    assert asked
    assert [url for url in asked if not url.startswith((served.url, "data:"))] == []


def test_other_files_of_its_folder_are_not_served(stage: Any, serve: Any, page: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    for name in ("offline_docs.py", "..%2foffline_docs.py", "..%2Fmetrics.py"):
        answer = page.request.get(f"{served.url}/docs/{name}")
        assert answer.status == 404
        assert answer.json()["error"]["code"] == "unknown_route"
