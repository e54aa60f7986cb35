"""Behind a prefix: every address that the server tells of is right, whether nginx cuts the prefix off or not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from steiner.cli.local_server import LocalServer, free_port

from .tried_example import answer_of_tried_chat

FRAME = Path(__file__).resolve().parents[2] / "benchmarks" / "nginx.conf"
PREFIX = "/tools/steiner"
KEY = "sk-steiner-of-a-test"
LOCATION = """server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
        proxy_pass {address};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
    }}
}}
"""


@pytest.fixture(scope="module", params=["cut off", "left on"])
def front(
    request: pytest.FixtureRequest,
    stage: Any,
    serve: Any,
    program: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Address of the server, below the prefix of an nginx."""
    served = serve(stage.engine(stage.one_step, per_update=10), root_path=f"{PREFIX}/", api_key=[KEY])
    folder, port = Path(tmp_path_factory.mktemp("nginx")), free_port()
    # With a path behind the address, nginx puts that in place of the location's.
    address = served.url + ("/" if request.param == "cut off" else "")
    (folder / "site.conf").write_text(LOCATION.format(port=port, prefix=PREFIX, address=address))
    shutil.copy(FRAME, folder)
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30, check=False)
    assert tested.returncode == 0, tested.stderr
    with LocalServer(command, port, ready_path=f"{PREFIX}/ready") as running:
        running.wait_until_ready()
        yield f"{running.url}{PREFIX}"


def test_the_page_reads_its_document_and_tries_an_example(front: str, page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{front}/docs")
    page.wait_for_selector(".opblock")
    page.locator("button.authorize").first.click()
    page.locator(".modal-ux input").first.fill(KEY)
    page.locator(".modal-ux button.authorize").click()
    page.locator(".modal-ux button.btn-done").click()
    assert answer_of_tried_chat(page) == "22"
    assert f"{front}/openapi.json" in asked
    assert f"{front}/v1/chat/completions" in asked
    assert [url for url in asked if not url.startswith((front, "data:"))] == []


def test_the_live_view_asks_and_links_below_the_prefix(front: str, page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{front}/view")
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("Problem").first.fill("make 22 from 15 4 11")
    page.get_by_role("button", name="Ask", exact=True).click()
    for _ in range(2):
        page.wait_for_selector('article[data-state="done"]')
        assert page.locator(".outcome").inner_text() == "Answer: 22"
        assert page.url.startswith(f"{front}/view/rsn_")
        page.reload()
    assert [url for url in asked if not url.startswith((front, "data:", "blob:"))] == []


def test_the_document_names_the_prefix_once(front: str) -> None:
    for _ in range(2):
        document = httpx.get(f"{front}/openapi.json", timeout=60).json()
        assert document["servers"] == [{"url": PREFIX}]
        assert "/v1/chat/completions" in document["paths"]


def test_keys_and_errors_are_those_of_the_path_below(front: str) -> None:
    for path in (
        "/health",
        "/ready",
        "/docs",
        "/docs/swagger-ui.css",
        "/metrics",
        "/view",
        "/view/assets/main.js",
    ):
        assert httpx.get(f"{front}{path}").status_code == 200, path
    assert httpx.get(f"{front}/v1/models").status_code == 401
    missing = httpx.get(f"{front}/v1/nothing", headers={"Authorization": f"Bearer {KEY}"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_route")
    wrong = httpx.get(f"{front}/v1/chat/completions", headers={"Authorization": f"Bearer {KEY}"})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_the_official_client_streams_through_it(front: str) -> None:
    with openai.OpenAI(base_url=f"{front}/v1", api_key=KEY, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["tiny"]
        with client.responses.stream(model="tiny", input="make 22 from 15 4 11") as stream:
            final = stream.get_final_response()
        assert final.output_text == "22"
        assert client.responses.retrieve(final.id).output_text == "22"
