"""Structural tags as EBNF, corrected where xgrammar 0.2.8 lets text through that is no JSON.

Imports xgrammar late, as the engine imports vllm.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from steiner.server.json_patterns import fits_json, patterns_in

CACHE_BYTES = 16 * 2**20
CORRECTIONS = {
    # A string whose length is bounded: control characters, which JSON escapes, are among its characters.
    r"[^\"\\\r\n]": r"[^\0-\x1f\"\\]",
    # The quoted name of an e-mail address: JSON knows few escapes, and none is needed there.
    r'(("\\" [ -~]) | ([ !#-[\]-~]))': r"(([ !#-[\]-~]))",
}
# Written with two digits and read with as many as come: é in front of an a would be another letter.
ESCAPE = re.compile(r"\\(?:x(?P<digits>[\da-fA-F]{2})|.)", re.DOTALL)
# xgrammar's own source and time, in front of what it says.
SOURCE = re.compile(r"^\[[\d:]+\] \S+: ")


class GrammarError(Exception):
    """There is no such grammar; the message is fit for a client."""


def ebnf_of(structural_tag: str) -> str:
    """A structural tag (JSON text) as EBNF.

    The EBNF is compiled once over a vocabulary of bytes: some grammars, such as that of a pattern with ``{0,129}``, are
    refused by xgrammar's compiler only, where it would be too late to say so.

    Raises:
        GrammarError: xgrammar cannot write or compile it, or it would let through what is no JSON.
    """
    import xgrammar

    try:
        text = str(xgrammar.Grammar.from_structural_tag(structural_tag))
        for pattern in patterns_in(json.loads(structural_tag)):
            if not fits_json(pattern):
                raise GrammarError(
                    f"strings of the pattern {pattern[:100]!r} may have quotation marks, backslashes or control "
                    "characters, which JSON escapes and the grammar would not; leave them out of the pattern"
                )
        # No literal of a schema reads like these: its texts are JSON first, and so escaped twice.
        for wrong, right in CORRECTIONS.items():
            text = text.replace(wrong, right)
        text = ESCAPE.sub(_of_fixed_length, text)
        _compiler().compile_grammar(text)
    except (RuntimeError, ValueError) as error:
        reason = SOURCE.sub("", str(error)).strip().partition("\n")[0][:200]
        # A failed assertion of xgrammar's tells a client nothing.
        told = "" if reason.startswith("Check failed") else f" ({reason})"
        raise GrammarError(
            f"a pattern or another part of a schema is beyond what can be compiled{told}"
        ) from error
    return text


def _of_fixed_length(escape: re.Match[str]) -> str:
    return escape[0] if escape["digits"] is None else rf"\u00{escape['digits']}"


@cache
def _compiler() -> Any:
    import xgrammar

    vocabulary = [bytes([byte]) for byte in range(256)] + [b"<end>"]
    info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[256])
    # As vLLM's: what a compiler with a cache refuses, one without takes.
    return xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=True, cache_limit_bytes=CACHE_BYTES)
