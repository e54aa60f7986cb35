"""Ready-made calls to a running server, as text to paste into a shell."""

import json
import shlex


def curl_line(url: str, model: str, prompt: str) -> str:
    """The typed step stream with curl; -N shows each event as it comes."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}]})
    return f"curl -N {url}/v1/reasoning -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def openai_snippet(python: str, url: str, model: str, prompt: str) -> str:
    """A chat completion with the official client, as a shell command around a Python program."""
    return f"""\
{shlex.quote(python)} - <<'END'
from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="none")
reply = client.chat.completions.create(
    model={model!r},
    messages=[{{"role": "user", "content": {prompt!r}}}],
)
print(reply.choices[0].message.reasoning)
print(reply.choices[0].message.content)
END"""
