# Free reasoning, then an answer held to a JSON Schema. Run: steiner serve, then python examples/json_answer.py
import os
from typing import Literal

from openai import OpenAI
from pydantic import BaseModel


class Result(BaseModel):
    solvable: bool
    kind: Literal["countdown", "routes", "knights"]


url = os.environ.get("STEINER_URL", "http://127.0.0.1:8000")
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("STEINER_API_KEY", "none"))

# The grammar makes the form right. The content is the model's: steiner-tiny was not taught to fill in forms.
reply = client.chat.completions.parse(
    model=client.models.list().data[0].id,
    messages=[{"role": "user", "content": "make 22 from 15 4 11"}],
    response_format=Result,
)
message = reply.choices[0].message
print(f"{len(message.reasoning_steps)} steps of reasoning, then:")
print(message.content)
print(message.parsed)
