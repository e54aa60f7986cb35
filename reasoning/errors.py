"""Everything that `steiner.reasoning` raises on purpose.

SteinerError
+-- ProtocolError
|   +-- MissingTokenError      the tokenizer lacks a marker of the protocol
|   +-- IllegalTokenError      the automaton does not allow the token here
|   +-- UnspellableTextError   the tokenizer cannot write a marker of text
+-- PolicyError                limits that no trace can keep
+-- MalformedProblemError      a text is not a problem of a task family
+-- UnknownVerifierError       no verifier has this name
"""

from collections.abc import Sequence


class SteinerError(Exception):
    """Root of the tree."""


class ProtocolError(SteinerError):
    """A token sequence or a tokenizer does not fit the protocol."""


class MissingTokenError(ProtocolError):
    """The tokenizer lacks markers of the protocol."""

    def __init__(self, protocol: str, missing: tuple[str, ...]) -> None:
        super().__init__(
            f"The tokenizer lacks {len(missing)} token(s) of protocol {protocol!r}: {', '.join(missing)}. "
            "Serve a checkpoint trained with this protocol, or choose the protocol that it was trained with."
        )
        self.missing = missing


class IllegalTokenError(ProtocolError):
    """The automaton was given a token that the protocol or the policy forbids here."""

    def __init__(self, token_id: int, phase: str) -> None:
        super().__init__(
            f"Token {token_id} is not legal in phase {phase!r}; `Automaton.allowed` lists what is."
        )
        self.token_id = token_id


class UnspellableTextError(ProtocolError):
    """The tokenizer has no tokens that write this text."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"The tokenizer cannot write {text!r}. A protocol of text markers needs a vocabulary that spells any text, "
            "as byte-level and byte-fallback tokenizers do."
        )


class PolicyError(SteinerError):
    """The limits of a policy contradict each other; `field` names the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class MalformedProblemError(SteinerError):
    """The text is not a problem of this family; the message says which part and what would be right."""


class UnknownVerifierError(SteinerError):
    """No verifier has this name; the message lists those that there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"No verifier {name[:80]!r}; there are {', '.join(known)}.")
