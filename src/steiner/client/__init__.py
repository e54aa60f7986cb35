"""The client of a Steiner server; needs neither vLLM nor torch."""

from steiner.client.client import ReasoningClient

__all__ = ["ReasoningClient"]
