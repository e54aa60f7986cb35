"""The structural tags of xgrammar that answers are held to, and the grammar of JSON that fits a schema.

They are made of texts and JSON Schemas only, and of no token ids: special tokens are kept out of the answer by a bias
(`token_requests`).

https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html
"""

from __future__ import annotations

import json
from typing import Any

from steiner.server.engine import EngineRefusal, TokenEngine
from steiner.server.schema_limits import why_too_large

MAX_WHITE_SPACE = 1
"""Between two tokens of JSON: what models are trained to write, and nothing to lose themselves in."""

Format = dict[str, Any]


def structural_tag_of(form: Format) -> str:
    """What an answer may be, as JSON text."""
    return json.dumps({"type": "structural_tag", "format": form})


def json_format(schema: dict[str, Any]) -> Format:
    """JSON that fits a schema."""
    return {"type": "json_schema", "json_schema": schema, "max_whitespace_cnt": MAX_WHITE_SPACE}


def schema_grammar(schema: dict[str, Any], engine: TokenEngine) -> str:
    """The engine's grammar of JSON that fits a schema.

    Raises:
        EngineRefusal: it has none, or would not have it soon; the message says why and what to do.
    """
    try:
        too_large = why_too_large([schema], [json.dumps(schema)])
        if too_large is not None:
            raise EngineRefusal(too_large)
        return engine.grammar_of(structural_tag_of(json_format(schema)))
    except RecursionError as error:
        raise EngineRefusal("it is nested too deep") from error
