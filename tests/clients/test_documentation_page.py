"""/docs in a browser: every endpoint is there, an example can be tried, and nothing comes from elsewhere."""

from typing import Any

from .tried_example import answer_of_tried_chat


def test_an_example_is_tried_in_the_browser(stage: Any, serve: Any, page: Any) -> None:
    served = serve(stage.engine(stage.one_step, per_update=10))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.url}/docs")
    page.wait_for_selector(".opblock")
    document = page.request.get(f"{served.url}/openapi.json").json()
    assert page.locator(".opblock").count() == sum(len(methods) for methods in document["paths"].values())
    assert answer_of_tried_chat(page) == "22"
    assert asked
    assert [url for url in asked if not url.startswith((served.url, "data:"))] == []


def test_other_files_of_its_folder_are_not_served(stage: Any, serve: Any, page: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    for name in ("offline_docs.py", "..%2foffline_docs.py", "..%2Fmetrics.py"):
        answer = page.request.get(f"{served.url}/docs/{name}")
        assert answer.status == 404
        assert answer.json()["error"]["code"] == "unknown_route"
