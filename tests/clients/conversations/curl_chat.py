"""curl: messages go back as the bytes that they came as."""

import json
import subprocess
from typing import Any

from asked import QUESTIONS, TOOL, WEATHER, Asked, Told, hold_all


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""

    def answer(messages: list[Any], tool_choice: str) -> Any:
        body = {
            "messages": messages,
            "tools": [TOOL],
            "tool_choice": tool_choice,
            "max_tokens": ask.max_tokens,
        }
        command = ["curl", "-sS", "--fail-with-body", f"{ask.url}/chat/completions", "--json", "@-"]
        done = subprocess.run(command, input=json.dumps(body), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["choices"][0]["message"]

    messages: list[Any] = []
    tool_choice = ask.tool_choice
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        while True:
            message = answer(messages, tool_choice)
            tool_choice = ask.next_choice
            messages.append(message)
            if not message.get("tool_calls"):
                break
            for call in message["tool_calls"]:
                told.calls.append(json.loads(call["function"]["arguments"]))
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": WEATHER})
        told.texts.append(message["content"])


hold_all(hold)
