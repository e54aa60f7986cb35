"""OpenAI's Responses: the request, and generations as items and events."""
