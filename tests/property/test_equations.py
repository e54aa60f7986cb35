"""Random equations in text: true ones are never refuted, wrong results always, and nothing with letters is judged."""

from __future__ import annotations

import string
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from steiner.reasoning.steps import Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import VERIFIERS, Judgement
from steiner.reasoning.verifiers.arithmetic import ArithmeticVerifier

VERIFIER = ArithmeticVerifier()
NOTHING = Trace(protocol="steiner")
SIGNS = {"+": "+", "-": "-\u2212", "*": "*\u00d7\u22c5\u00b7", "/": "/\u00f7"}
BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclass(frozen=True)
class Tree:
    """An expression and its value, worked out beside the reader under test; `binding` 3 needs no parentheses."""

    text: str
    value: Fraction
    binding: int = 3


def number(value: int) -> Tree:
    return Tree(str(value), Fraction(value))


def with_decimals(tenths: int) -> Tree:
    return Tree(f"{tenths // 10}.{tenths % 10}", Fraction(tenths, 10))


@st.composite
def joined(draw: st.DrawFn, parts: st.SearchStrategy[Tree]) -> Tree:
    left, right, operator = draw(parts), draw(parts), draw(st.sampled_from("+-*/"))
    assume(operator != "/" or right.value)
    binding = BINDING[operator]
    value = {
        "+": lambda: left.value + right.value,
        "-": lambda: left.value - right.value,
        "*": lambda: left.value * right.value,
        "/": lambda: left.value / right.value,
    }[operator]()
    texts = []
    for part, is_right in ((left, False), (right, True)):
        needs = part.binding < binding + is_right
        texts.append(f"({part.text})" if needs or (part.binding < 3 and draw(st.booleans())) else part.text)
    blank = draw(st.sampled_from(["", " "]))
    return Tree(f"{blank}{draw(st.sampled_from(SIGNS[operator]))}{blank}".join(texts), value, binding)


def sums(leaves: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Expressions with at least one operator."""
    return joined(st.recursive(leaves, joined, max_leaves=6))


WHOLE = sums(st.integers(0, 200).map(number))
DECIMAL = sums(st.integers(0, 200).map(number) | st.integers(0, 999).map(with_decimals))
LEAD_INS = st.sampled_from(["", "", "So ", "First, compute ", "We have ", "The rest is easy. ", "Total: "])
ENDINGS = st.sampled_from(["", "", ".", ", then stop.", "; that is all", " so we go on", "\n", "\nNext line"])


def exactly(value: Fraction) -> str:
    """A whole number, or a fraction of two."""
    return str(value)


def judge(text: str, problem: str = "How much is it?") -> Judgement | None:
    section = Section(role="next_step", name="next_step", text=text, num_tokens=1)
    return VERIFIER.verify(problem, NOTHING, Step(id=1, depth=1, parent=0, sections=(section,)))


@given(tree=WHOLE | DECIMAL, lead_in=LEAD_INS, ending=ENDINGS, swapped=st.booleans())
def test_true_equations_are_never_refuted(tree: Tree, lead_in: str, ending: str, swapped: bool) -> None:
    sides = [tree.text, exactly(tree.value)]
    assert judge(f"{lead_in}{' = '.join(reversed(sides) if swapped else sides)}{ending}") is None


@given(left=WHOLE, right=WHOLE, lead_in=LEAD_INS, ending=ENDINGS)
def test_nor_are_true_chains(left: Tree, right: Tree, lead_in: str, ending: str) -> None:
    difference = exactly(left.value - right.value)
    text = f"{left.text} - ({right.text}) = {exactly(left.value)} - ({exactly(right.value)}) = {difference}"
    assert judge(f"{lead_in}{text}{ending}") is None


@given(tree=WHOLE | DECIMAL, places=st.integers(1, 5), lead_in=LEAD_INS, ending=ENDINGS)
def test_nor_are_results_that_were_rounded(tree: Tree, places: int, lead_in: str, ending: str) -> None:
    scaled = round(tree.value * 10**places)
    rounded = f"{'-' if scaled < 0 else ''}{abs(scaled) // 10**places}.{abs(scaled) % 10**places:0{places}d}"
    assert judge(f"{lead_in}{tree.text} = {rounded}{ending}") is None


@given(
    tree=WHOLE | DECIMAL,
    wrong_by=st.integers(1, 1000) | st.integers(-1000, -1),
    lead_in=LEAD_INS,
    ending=ENDINGS,
    swapped=st.booleans(),
)
def test_wrong_results_are_always_refuted(
    tree: Tree, wrong_by: int, lead_in: str, ending: str, swapped: bool
) -> None:
    wrong = exactly(tree.value + wrong_by)
    # In front of everything a minus may be the mark of a list.
    assume(not (swapped and wrong.startswith("-")))
    judgement = judge(
        f"{lead_in}{wrong} = {tree.text}{ending}" if swapped else f"{lead_in}{tree.text} = {wrong}{ending}"
    )
    assert judgement is not None
    assert judgement.verdict == "refuted"
    assert "not" in judgement.reason or "but" in judgement.reason


@given(
    tree=WHOLE,
    wrong_by=st.integers(1, 99),
    letters=st.sampled_from([*string.ascii_letters, "pi", "sqrt", "\u03c0"]),
    data=st.data(),
)
def test_an_expression_with_letters_is_never_judged(
    tree: Tree, wrong_by: int, letters: str, data: st.DataObject
) -> None:
    text = f"{tree.text} = {exactly(tree.value + wrong_by)}"
    assert judge(text) is not None
    place = data.draw(st.integers(0, len(text)))
    blank = data.draw(st.sampled_from(["", " "]))
    assert judge(f"{text[:place]}{blank}{letters}{blank}{text[place:]}") is None


@given(
    tree=WHOLE,
    wrong_by=st.integers(1, 99),
    more=st.sampled_from(["3 +", "(", "x *", "2 -", "7 \u00d7", "3,", "4 :", "half of", "5 times"]),
)
def test_the_end_of_something_longer_is_never_judged(tree: Tree, wrong_by: int, more: str) -> None:
    text = f"{tree.text} = {exactly(tree.value + wrong_by)}"
    for blank in (" ", "\n"):
        judgement = judge(f"{more}{blank}{text}")
        # With the plain arithmetic in front it is another equation, on one line.
        assert judgement is None or (blank == " " and more in ("3 +", "2 -", "7 \u00d7"))


ARITHMETIC_TEXT = st.text(st.sampled_from("0123456789+-*/^()=.,%:; \n\u00d7\u2212xso'?"), max_size=80)


@given(text=st.text(max_size=200) | ARITHMETIC_TEXT, problem=st.text(max_size=60) | ARITHMETIC_TEXT)
def test_no_verifier_ever_raises(text: str, problem: str) -> None:
    sections = tuple(
        Section(role=role, name=role, text=text, num_tokens=1) for role in ("understanding", "next_step")
    )
    step = Step(id=1, depth=1, parent=0, sections=sections)
    for verifier in VERIFIERS.values():
        for told in (problem, "make 22 from 15 4 11", "roads Rome > Oslo from Rome to Oslo"):
            judgement = verifier.verify(told, NOTHING, step)
            assert judgement is None or judgement.reason
            assert verifier.check_answer(told, text) in (True, False, None)


@given(text=ARITHMETIC_TEXT)
def test_a_verdict_of_arithmetic_is_a_refutation_with_its_reason(text: str) -> None:
    judgement = judge(text)
    assert judgement is None or (judgement.verdict == "refuted" and " = " in judgement.reason)
