"""OpenAI's Responses: the request, and generations told as items and events."""
