"""Structural tags as EBNF, corrected where xgrammar 0.2.8 lets text through that is no JSON.

Imports xgrammar late, as the engine imports vllm.
"""

from __future__ import annotations

from functools import cache
from typing import Any

# The characters of a string whose length is bounded: control characters, which JSON escapes, are among them.
BOUNDED_STRING = r"[^\"\\\r\n]"
WITHOUT_CONTROLS = r"[^\0-\x1f\"\\]"


class GrammarError(Exception):
    """There is no such grammar; the message is fit for a client."""


def ebnf_of(structural_tag: str) -> str:
    """A structural tag (JSON text) as EBNF.

    The EBNF is compiled once over a vocabulary of bytes: some grammars, such as that of a pattern with ``{0,129}``, are
    refused by xgrammar's compiler only, where it would be too late to say so.

    Raises:
        GrammarError: xgrammar cannot write or compile it.
    """
    import xgrammar

    try:
        text = str(xgrammar.Grammar.from_structural_tag(structural_tag))
        # No literal of a schema reads so: its texts are JSON first, and so escaped twice.
        text = text.replace(BOUNDED_STRING, WITHOUT_CONTROLS)
        _compiler().compile_grammar(text)
    except (RuntimeError, ValueError) as error:
        raise GrammarError("a pattern or another part of a schema is beyond what can be compiled") from error
    return text


@cache
def _compiler() -> Any:
    import xgrammar

    vocabulary = [bytes([byte]) for byte in range(256)] + [b"<end>"]
    info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[256])
    return xgrammar.GrammarCompiler(info, cache_enabled=False, max_threads=1)
