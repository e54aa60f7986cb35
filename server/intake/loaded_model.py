"""The model that the server serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.conductor.assignment import Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import TokenEngine
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.intake.protocol_prompt import ProtocolPrompt


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine and what is known about its model.

    Attributes:
        protocol_prompt: what the model is told of its protocol; None where it was trained for it.
    """

    engine: TokenEngine
    bound: BoundProtocol
    encoder: PromptEncoder
    new_decoder: Callable[[], SectionDecoder]
    spelling: TokenSpelling
    protocol_prompt: ProtocolPrompt | None = None

    def conductor(self, assignment: Assignment) -> Conductor:
        """A conductor that runs an assignment on this engine."""
        return Conductor(self.engine, self.bound, assignment, self.new_decoder, self.spelling)
