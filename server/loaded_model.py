"""The model behind the routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from steiner.reasoning.decoding import SectionDecoder
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.engine import TokenEngine
from steiner.server.prompts import PromptEncoder
from steiner.server.token_spelling import TokenSpelling


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine and what is known of its model."""

    engine: TokenEngine
    bound: BoundProtocol
    encoder: PromptEncoder
    new_decoder: Callable[[], SectionDecoder]
    spelling: TokenSpelling
