# A function that the model must call, with arguments that fit its schema. Run: steiner serve, then this file.
# steiner-tiny was never taught tools: its call is legal and means nothing, and so does its answer.
import json
import os

from openai import OpenAI

url = os.environ.get("STEINER_URL", "http://127.0.0.1:8000")
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("STEINER_API_KEY", "none"))
model = client.models.list().data[0].id

parameters = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Bern", "Cairo"]}},
    "required": ["city"],
    "additionalProperties": False,
}
tool = {"type": "function", "function": {"name": "get_weather", "parameters": parameters}}
messages = [{"role": "user", "content": "make 22 from 15 4 11"}]

asked = client.chat.completions.create(
    model=model,
    messages=messages,
    tools=[tool],
    tool_choice="required",
    parallel_tool_calls=False,
)
call = asked.choices[0].message.tool_calls[0]
city = json.loads(call.function.arguments)["city"]
print(f"{call.function.name}({city})")

messages.append(asked.choices[0].message.model_dump(exclude_none=True))
messages.append({"role": "tool", "tool_call_id": call.id, "content": f"{city}: 21 degrees"})
reply = client.chat.completions.create(model=model, messages=messages, tools=[tool], tool_choice="none")
print("answer:", reply.choices[0].message.content)
