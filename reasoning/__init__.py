"""The reasoning protocol: its tokens, its automaton, and the grammar, parser and trace derived from it.

Pure Python and pydantic; neither torch nor vllm is needed.
"""
