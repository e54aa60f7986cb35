# Asks an endpoint a few problems and checks every answer exactly. Run: steiner serve, then this file.
# `steiner eval` does this in earnest: thousands of held-out problems, intervals, budgets, paired tests.
import os

from openai import OpenAI

from steiner.reasoning.verifiers import find_verifier

PROBLEMS = [
    "make 22 from 15 4 11",
    "make 30 from 10 20 20",
    "make 24 from 3 8 6",
    "roads Rome > Oslo, Rome > Bern, Bern > Quito, Oslo > Lima, Rome > Doha from Rome to Lima",
    "knights Cora Ann Dan : Cora says either Dan Ann ; Ann says knave Cora ; Dan says different Ann Dan",
]

url = os.environ.get("STEINER_URL", "http://127.0.0.1:8000")
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("STEINER_API_KEY", "none"))
model = client.models.list().data[0].id
checker = find_verifier("auto")

num_right = 0
for problem in PROBLEMS:
    reply = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": problem}], temperature=0
    )
    answer = reply.choices[0].message.content or ""
    is_right = checker.check_answer(problem, answer) is True
    num_right += is_right
    print(f"{'right' if is_right else 'wrong'}  {problem}\n       {answer}")
print(f"{num_right} of {len(PROBLEMS)} right")
