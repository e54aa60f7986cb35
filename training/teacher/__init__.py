"""The natural-language road: a teacher writes solutions, wrong turns included, and DAGs and traces are made of them.

In the order of the data:

- config: the YAML of a run
- markers, question: what is asked, from a file, and whether an answer to it is right
- prompt_texts, prompts: what the teacher is sent
- pace, price, journal, client: one paid call after another, none of them twice
- written: what the teacher sent back, as steps
- completions: first attempts, truncation, re-completion; one tree of steps a question
- plan: what all this will cost, before anything is spent
- embed: which steps say the same
- dag: a graph of them without cycles
- paths: traces with backtracks, sampled from it
- records, manifest: what is written
- run: all of it
"""
