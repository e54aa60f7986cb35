"""API keys: the settings hold their hashes, a request brings a key, and the key says which caller it is.

A key has 256 random bits, so nobody can find it from its plain SHA-256 by trying. The slow, salted hashes that
passwords need would cost every request milliseconds and protect nothing more (NIST SP 800-63B, 5.1.1.2, asks
for them where secrets are short enough to be guessed).

What a caller makes belongs to that caller. No other caller can see it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

KEY_PREFIX = "sk-steiner-"


@dataclass(frozen=True, slots=True)
class Caller:
    """A name, as the settings give it to a key; never the key."""

    name: str


ANONYMOUS = Caller("anonymous")
"""Everyone, on a server without keys."""


class Limits(BaseModel):
    """What one caller may use; None takes the deployment's, 0 is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int | None = Field(None, ge=0)
    tokens_per_minute: int | None = Field(None, ge=0)
    max_concurrent: int | None = Field(None, ge=0)


class ApiKey(Limits):
    """One key of the settings: whose it is, its hash, and limits of its own.

    Two keys of one name are one caller, so that a key can be replaced without a gap.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Hex digest of the key, as `steiner key` gives."
    )

    @property
    def limits(self) -> Limits:
        """Its limits alone."""
        return Limits(**{name: getattr(self, name) for name in Limits.model_fields})


def new_key() -> str:
    """A key that nobody can guess."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """What settings keep of a key: SHA-256, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def check_keys(keys: Iterable[ApiKey]) -> None:
    """Raises ValueError if the keys contradict each other."""
    by_name: dict[str, Limits] = {}
    by_hash: dict[str, str] = {}
    for key in keys:
        if key.name == ANONYMOUS.name:
            raise ValueError(f"a key cannot be named {key.name!r}; that is everyone on a server without keys")
        if by_name.setdefault(key.name, key.limits) != key.limits:
            raise ValueError(f"two keys named {key.name!r} have different limits; give both the same")
        if by_hash.setdefault(key.sha256, key.name) != key.name:
            raise ValueError(f"{by_hash[key.sha256]!r} and {key.name!r} have the same key; give each its own")


class KeyRing:
    """Every key of a deployment. Without any, everyone may ask.

    Args:
        keys: with hashes.
        plain: keys in clear, named key-1, key-2 and so on; only their hashes are kept.
    """

    def __init__(self, keys: Sequence[ApiKey], plain: Sequence[str] = ()) -> None:
        named = [(f"key-{number}", hash_key(key)) for number, key in enumerate(plain, start=1)]
        named += [(key.name, key.sha256) for key in keys]
        self._keys = [(bytes.fromhex(digest), Caller(name)) for name, digest in named]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def caller_of(self, key: str) -> Caller | None:
        """Whose key this is. It takes the same time for every key, known or not."""
        digest = bytes.fromhex(hash_key(key))
        found: Caller | None = None
        for known, caller in self._keys:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


class Quotas:
    """Limits by caller.

    Args:
        default: of the deployment.
        keys: whose own limits outrank it.
    """

    def __init__(self, default: Limits, keys: Iterable[ApiKey]) -> None:
        self._default = default
        self._own = {key.name: key.limits for key in keys}

    def limits_of(self, caller: Caller) -> Limits:
        """Every limit as a number; 0 is none."""
        own = self._own.get(caller.name, Limits())
        return self._default.model_copy(update=own.model_dump(exclude_none=True))

    def max_concurrent(self, caller: Caller) -> int:
        """Generations at once, running and waiting; 0 is no limit."""
        return self.limits_of(caller).max_concurrent or 0
