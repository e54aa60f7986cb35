# A chat completion with the reasoning beside the answer. Run: steiner serve, then python examples/chat.py
import os

from openai import OpenAI

url = os.environ.get("STEINER_URL", "http://127.0.0.1:8000")
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("STEINER_API_KEY", "none"))

reply = client.chat.completions.create(
    model=client.models.list().data[0].id,
    messages=[{"role": "user", "content": "make 22 from 15 4 11"}],
    temperature=0,
    extra_body={"reasoning": {"max_steps": 12}},
)
message = reply.choices[0].message
for step in message.reasoning_steps:
    print(f"step {step['id']} below {step['parent']}: {step['verdict']}")
    for section in step["sections"]:
        print(f"  {section['role']}: {section['text']}")
print("answer:", message.content)
print("reasoning tokens:", reply.usage.completion_tokens_details.reasoning_tokens)
