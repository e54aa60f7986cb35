"""The pipeline that produces the served weights: problems -> DAGs -> traces -> CPT -> SFT -> RL -> checkpoint.

- config: what a recipe says
- problems, dags, traces: tasks, their searches, the searches as text
- data: all of it in shards; teacher: the same in natural language
- documents: records as token ids
- model, learning, rl: what learns them
- evals: how well
- pipeline: the stages in order
- planning: what they take of a GPU
"""
