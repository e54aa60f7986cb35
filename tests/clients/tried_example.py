"""What a reader of /docs does: open an endpoint and try the example that stands there."""

from __future__ import annotations

import json
from typing import Any


def answer_of_tried_chat(page: Any) -> str:
    """Tries the example of chat completions on the page that is open; gives the answer's text."""
    operation = page.locator("#operations-chat-create_chat_completion_v1_chat_completions_post")
    operation.locator(".opblock-summary-control").click()
    operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table .response-col_description code").first
    answer.wait_for()
    return str(json.loads(answer.inner_text())["choices"][0]["message"]["content"])
