"""OpenAI's chat completions: the request, and generations as completions and chunks."""
