"""The protocols by name, and which of them a tokenizer was made for."""

from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.protocol import Protocol, TokenizerLike
from steiner.reasoning.protocols.outline import OUTLINE
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.protocols.think import THINK

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (STEINER, STEINER_PREVIEW, THINK, OUTLINE)
}
"""In the order in which they are tried: the more a protocol marks, the earlier it comes; text fits any model."""


def detect_protocol(tokenizer: TokenizerLike) -> Protocol:
    """The first protocol whose markers are tokens, all of which the tokenizer has.

    Raises:
        MissingTokenError: there is none; it names what protocol `steiner` lacks.
    """
    for protocol in PROTOCOLS.values():
        if not (protocol.is_text or protocol.missing_from(tokenizer)):
            return protocol
    raise MissingTokenError(STEINER.name, STEINER.missing_from(tokenizer))
