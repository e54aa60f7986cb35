# The stream of typed events, step by step. Run: steiner serve, then python examples/typed_steps.py
import os

from steiner.client import ReasoningClient

client = ReasoningClient(
    os.environ.get("STEINER_URL", "http://127.0.0.1:8000"), api_key=os.environ.get("STEINER_API_KEY")
)

for event in client.stream("make 22 from 15 4 11", temperature=0):
    match event.type:
        case "step.started":
            print(f"\nstep {event.step}, below {event.parent}")
        case "section.delta":
            print(event.text, end="", flush=True)
        case "section.done":
            print(f"  [{event.role}]")
        case "step.verified":
            print(f"-> {event.verdict}", end=" ")
        case "backtracked":
            print(f"<- back to step {event.to_step}")
        case "answer.done":
            print(f"\nanswer: {event.text}")
        case "usage":
            print(f"{event.reasoning_tokens} tokens of reasoning")
