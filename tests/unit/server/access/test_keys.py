"""Keys: what settings may say, whose a key is, and that no key stays in clear."""

import hashlib

import pytest
from pydantic import ValidationError

from steiner.server.access.keys import ApiKey, Caller, KeyRing, hash_key, new_key
from steiner.server.settings import Settings


def test_a_key_is_long_random_text_and_its_hash_is_plain_sha256() -> None:
    key = new_key()
    assert key.startswith("sk-steiner-")
    assert len(key) >= 11 + 43
    assert key != new_key()
    assert hash_key(key) == hashlib.sha256(key.encode()).hexdigest()


def test_a_key_names_its_caller_and_nothing_else_does() -> None:
    alice, bob = new_key(), new_key()
    ring = KeyRing([ApiKey(name="alice", sha256=hash_key(alice)), ApiKey(name="bob", sha256=hash_key(bob))])
    assert ring
    assert (ring.caller_of(alice), ring.caller_of(bob)) == (Caller("alice"), Caller("bob"))
    for wrong in (alice[:-1], alice + "x", hash_key(alice), "", "ключ"):
        assert ring.caller_of(wrong) is None


def test_without_keys_the_ring_is_empty() -> None:
    assert not KeyRing([])


def test_a_ring_keeps_no_key_in_clear() -> None:
    assert "opensesame" not in repr(vars(KeyRing([], ["opensesame"])))
    assert "opensesame" not in repr(Settings(api_key=["opensesame"]))
    assert KeyRing([], ["opensesame"]).caller_of("opensesame") == Caller("key-1")


def test_two_keys_of_one_name_are_one_caller() -> None:
    old, new = new_key(), new_key()
    ring = KeyRing([ApiKey(name="alice", sha256=hash_key(key)) for key in (old, new)])
    assert ring.caller_of(old) == ring.caller_of(new) == Caller("alice")


A, B = hash_key("a"), hash_key("b")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([{"name": "a", "sha256": "short"}], "sha256"),
        ([{"name": "a b", "sha256": A}], "name"),
        ([{"name": "a", "sha256": A, "role": "admin"}], "role"),
        ([{"name": "a", "sha256": A, "max_concurrent": -1}], "max_concurrent"),
        ([{"name": "anonymous", "sha256": A}], "anonymous"),
        ([{"name": "a", "sha256": A}, {"name": "b", "sha256": A}], "same key"),
        ([{"name": "a", "sha256": A}, {"name": "a", "sha256": B, "max_concurrent": 3}], "different limits"),
    ],
)
def test_keys_that_make_no_sense_are_refused(keys: list[dict[str, object]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(api_keys=keys)
