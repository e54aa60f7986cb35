"""OpenAI's chat completions: the request, and generations told as completions and chunks."""
