"""The protocols by name, and which of them a tokenizer was made for."""

from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.protocol import Protocol, TokenizerLike
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (STEINER, STEINER_PREVIEW)}


def detect_protocol(tokenizer: TokenizerLike) -> Protocol:
    """The protocol all of whose markers the tokenizer has.

    Raises:
        MissingTokenError: none; it names what protocol `steiner` lacks.
    """
    vocabulary = tokenizer.get_vocab()
    for protocol in PROTOCOLS.values():
        if all(token in vocabulary for token in (*protocol.special_tokens, protocol.end_of_turn)):
            return protocol
    missing = tuple(
        token for token in (*STEINER.special_tokens, STEINER.end_of_turn) if token not in vocabulary
    )
    raise MissingTokenError(STEINER.name, missing)
