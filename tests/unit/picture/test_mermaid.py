"""The Mermaid text of a trace: its tree, and nothing in its texts that Mermaid would read as its own."""

from pathlib import Path

import pytest

from steiner.picture.mermaid import mermaid_of
from steiner.reasoning.steps import Backtrack, Section, Step
from steiner.reasoning.trace import Trace
from steiner.saved_trace import parse_saved_trace

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def test_a_search_is_a_flowchart() -> None:
    lines = mermaid_of(parse_saved_trace((GOLDEN / "forced.jsonl").read_bytes()), "make 22").splitlines()
    assert lines[:2] == ["flowchart LR", '  s0["problem<br/>make 22"]']
    assert '  s4["4 ✗ refuted by force<br/>15 #42; 11 #61; 165"]:::refuted' in lines
    assert [line for line in lines if "==>" in line] == ["  s0 ==> s5", "  s5 ==> s6", "  s6 ==> answer"]
    assert [line for line in lines if "-." in line] == [
        *("  s1 -. back .-> s0", "  s3 -. back .-> s0", "  s4 -. back .-> s0")
    ]


@pytest.mark.parametrize(
    "text", ['"]; click s1 href "javascript:alert(1)"', "<script>", "%%{init: {}}%%", "`a` #35; &lt;"]
)
def test_no_text_is_syntax(text: str) -> None:
    section = Section(role="next_step", name="next_step", text=text, num_tokens=1)
    step = Step(id=1, depth=1, parent=0, sections=(section,), decision=Backtrack(to_depth=0))
    [_, problem, node, *_] = mermaid_of(Trace(protocol="x", steps=(step,), answer=text), text).splitlines()
    for line in (problem, node):
        label = line.split('["')[1].split('"]')[0].replace("<br/>", "")
        assert not set(label) & set('"<>[]{}()`%:/')
