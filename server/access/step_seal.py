"""Steps sealed for clients that keep a conversation themselves: `encrypted_content` of a reasoning item.

AES-SIV (RFC 5297) is deterministic, so a stream that is resumed, here or on a replica with the same key, has the
same bytes. The caller's name is authenticated too, so a step opens only for the caller that it was made for.
"""

from __future__ import annotations

import base64
import json
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from steiner.reasoning.steps import Step

KEY_BYTES = 64
PURPOSE = b"steiner: a step of reasoning, version 1"

SealStep = Callable[[Mapping[str, Any]], str]
"""Seals a step, given as JSON, for one caller."""


class SealBroken(Exception):
    """The text is not a step that was sealed here for this caller."""


class StepSeal:
    """Seals and opens steps.

    Args:
        secret_texts: the first one seals, and each one opens. Without any, a random key of this process does both.
    """

    def __init__(self, secret_texts: Sequence[str] = ()) -> None:
        keys = [_derived(text) for text in secret_texts] or [secrets.token_bytes(KEY_BYTES)]
        self._ciphers = [AESSIV(key) for key in keys]

    def seal(self, step: Mapping[str, Any], caller: str) -> str:
        """The step as base64url text that only this caller can send back."""
        packed = zlib.compress(json.dumps(step, ensure_ascii=False, separators=(",", ":")).encode())
        return _to_text(self._ciphers[0].encrypt(packed, [PURPOSE, caller.encode()]))

    def sealing_for(self, caller: str) -> SealStep:
        """`seal` for one caller."""
        return lambda step: self.seal(step, caller)

    def open(self, text: str, caller: str) -> Step:
        """The step.

        Raises:
            SealBroken: it was forged or altered, belongs to another caller, or was sealed under another key.
        """
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            raise SealBroken from None
        # Base64 can spell the same bytes in several ways, and only one of them was given out.
        if _to_text(sealed) != text:
            raise SealBroken
        for cipher in self._ciphers:
            try:
                packed = cipher.decrypt(sealed, [PURPOSE, caller.encode()])
            except (InvalidTag, ValueError):
                continue
            return Step.model_validate_json(zlib.decompress(packed))
        raise SealBroken


def _derived(text: str) -> bytes:
    return HKDF(SHA512(), KEY_BYTES, salt=None, info=PURPOSE).derive(text.encode())


def _to_text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode("ascii")
