"""The tables of the guide say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import Policy
from steiner.server.model.loading import chosen_protocol
from steiner.server.settings import Settings

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"


def cells(page: str, first: str) -> list[str]:
    """Cells of the table's row that begins with this one, without it."""
    rows = [line for line in (GUIDE / page).read_text().splitlines() if line.startswith(f"| {first}")]
    [row] = rows
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high"])
def test_efforts_are_the_limits_that_stand_there(effort: str) -> None:
    policy = Policy.for_effort(effort)  # type: ignore[arg-type]
    told = [policy.max_steps, policy.max_backtracks, policy.max_depth]
    assert cells("steer.md", f"`{effort}`") == list(map(str, told))


def test_every_option_is_on_the_page() -> None:
    page = (GUIDE / "steer.md").read_text()
    assert set(ReasoningOptions.model_fields) <= set(re.findall(r"[`\"]([a-z_]+)", page))


def test_other_chat_models_are_served_with_markers_of_text() -> None:
    (told,) = cells("serve.md", "any other chat model")
    assert "(../protocols.md#markers-of-text-outline)" in told
    assert "\n## Markers of text: `outline`\n" in (GUIDE.parent / "protocols.md").read_text()
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")))
    assert chosen_protocol(Settings(), plain)[0].is_text
