"""The pipeline that produces the served weights: problems -> DAGs -> traces -> CPT -> SFT -> RL -> checkpoint.

- config: what a recipe may say
- problems, dags, traces: tasks, their searches, the searches as text
- data: all of these in shards; teacher: the same in natural language
- documents: records as token ids
- model, learning, rl: the model, and training it on them
- evals: how good the model is
- pipeline: the stages in order
- planning: how much of a GPU they take
"""
