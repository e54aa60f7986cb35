# Leave a stream in the middle and read on without a gap. Run: steiner serve, then python examples/resume.py
import os

from steiner.client import ReasoningClient

client = ReasoningClient(
    os.environ.get("STEINER_URL", "http://127.0.0.1:8000"), api_key=os.environ.get("STEINER_API_KEY")
)

generation_id, last = "", 0
for event in client.stream("make 22 from 15 4 11", temperature=0):
    last = event.sequence_number
    if event.type == "reasoning.started":
        generation_id = event.id
    if last == 10:
        break  # The connection closes here. The generation goes on.
print(f"left {generation_id} after event {last}")

# Another process could do this, or another machine: the id and the number are all it takes.
rest = list(client.follow(generation_id, after=last))
print(f"read events {rest[0].sequence_number} to {rest[-1].sequence_number}: {rest[-1].type}")

trace = client.trace(generation_id)
print(f"{len(trace.steps)} steps, answer: {trace.answer}")
