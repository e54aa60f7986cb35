"""Steiner's server: one vLLM engine behind OpenAI's chat route and a typed stream of reasoning steps."""
