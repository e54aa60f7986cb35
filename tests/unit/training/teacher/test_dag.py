"""Nodes and edges out of a tree of steps: no cycles, and the best supported edges stay."""

from hypothesis import given
from hypothesis import strategies as st

from steiner.training.problems.base import SectionTexts
from steiner.training.teacher.completions import StepTree, TreeStep
from steiner.training.teacher.dag import QUESTION, Edge, break_cycles, build_taught_dag

EDGES = st.dictionaries(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda edge: edge[0] != edge[1]),
    st.integers(1, 5),
    max_size=30,
)


def tree_of(
    *steps: tuple[str, int],
    ends: tuple[int, ...] = (),
    refuted: tuple[int, ...] = (),
    unfinished: tuple[int, ...] = (),
) -> StepTree:
    """Steps by next step and parent."""
    return StepTree(
        [
            TreeStep(SectionTexts("u", text, "v", "s"), parent, number in refuted)
            for number, (text, parent) in enumerate(steps, 1)
        ],
        list(ends),
        list(unfinished),
    )


def dag_of(tree: StepTree) -> tuple[dict[str, set[str]], set[str], int]:
    """Successors by text, the living texts, and how many edges were dropped."""
    texts = [step.sections.next_step for step in tree.steps]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    taught = build_taught_dag(tree, [numbers[text] for text in texts], texts)
    nodes = taught.dag.nodes
    names = [str(node.state[1]) for node in nodes]  # type: ignore[index]
    successors = {name: {names[end] for _, end in n.successors} for name, n in zip(names, nodes, strict=True)}
    return successors, {n for n, node in zip(names, nodes, strict=True) if node.is_alive}, len(taught.dropped)


def path_exists(edges: list[Edge], begin: int, end: int) -> bool:
    reached = {begin}
    while new := {b for a, b in edges if a in reached} - reached:
        reached |= new
    return end in reached


@given(EDGES)
def test_what_is_kept_has_no_cycle_and_what_is_dropped_would_close_one(support: dict[Edge, int]) -> None:
    kept, dropped = break_cycles(support)
    assert sorted([*kept, *(edge for edge, _ in dropped)]) == sorted(support)
    assert not [edge for edge in kept if path_exists(kept, edge[1], edge[0])]
    for (begin, end), number in dropped:
        as_strong = [edge for edge in kept if support[edge] >= number]
        assert end == QUESTION or path_exists(as_strong, end, begin)


@given(EDGES)
def test_an_edge_stronger_than_every_other_stays(support: dict[Edge, int]) -> None:
    strongest = {edge: n for edge, n in support.items() if n == max(support.values())}
    kept, _ = break_cycles(support)
    if len(strongest) == 1 and next(iter(strongest))[1] != QUESTION:
        assert set(strongest) <= set(kept)


def test_of_equal_edges_the_one_written_first_stays() -> None:
    assert break_cycles({(1, 2): 1, (2, 1): 1}) == ([(1, 2)], [((2, 1), 1)])
    assert break_cycles({(2, 1): 1, (1, 2): 1}) == ([(2, 1)], [((1, 2), 1)])
    assert break_cycles({(1, 2): 1, (2, 1): 2}) == ([(2, 1)], [((1, 2), 1)])


def test_completions_meet_in_a_node_and_a_dead_end_is_dead() -> None:
    tree = tree_of(("a", 0), ("b", 1), ("c", 0), ("b", 3), ("d", 3), ends=(2, 4))
    successors, alive, dropped = dag_of(tree)
    assert successors == {"": {"a", "c"}, "a": {"b"}, "c": {"b", "d"}, "b": set(), "d": set()}
    assert alive == {"", "a", "b", "c"}
    assert dropped == 0


def test_a_step_back_to_an_earlier_node_is_dropped_as_the_weaker_edge() -> None:
    tree = tree_of(("a", 0), ("b", 1), ("a", 0), ("b", 3), ("a", 4), ("a", 3), ends=(2,))
    successors, _, dropped = dag_of(tree)
    assert successors == {"": {"a"}, "a": {"b"}, "b": set()}
    assert dropped == 1


def test_a_refuted_step_makes_no_way_to_a_node_that_stands() -> None:
    tree = tree_of(("a", 0), ("b", 1), ("b", 0), ("x", 0), ("c", 2), ends=(5,), refuted=(3, 4))
    successors, alive, _ = dag_of(tree)
    assert successors == {"": {"a", "x"}, "a": {"b"}, "b": {"c"}, "c": set(), "x": set()}
    assert alive == {"", "a", "b", "c"}


def test_what_only_a_dropped_edge_led_to_is_left_out() -> None:
    # c hangs on an edge from b to a, which closes a cycle, and on nothing else.
    tree = tree_of(("a", 0), ("b", 1), ("a", 0), ("b", 3), ends=(4,))
    tree.steps.append(TreeStep(SectionTexts("u", "a", "v", "s"), 2, False))
    successors, _, dropped = dag_of(tree)
    assert set(successors) == {"", "a", "b"}
    assert dropped == 1


def test_a_right_end_and_a_wrong_one_are_never_the_same_node() -> None:
    # Both add up: one comes to the right sum, the other does not.
    tree = tree_of(("a", 0), ("add up", 1), ("c", 0), ("add up", 3), ends=(2,))
    texts = [step.sections.next_step for step in tree.steps]
    dag = build_taught_dag(tree, [0, 1, 2, 1], texts).dag
    assert [(node.state[1], node.is_goal, node.is_alive) for node in dag.nodes] == [  # type: ignore[index]
        ("", False, True),
        ("a", False, True),
        ("c", False, False),
        ("add up", True, True),
        ("add up", False, False),
    ]


def test_what_was_cut_off_is_not_known_to_be_dead() -> None:
    tree = tree_of(
        ("a", 0), ("b", 1), ("c", 1), ("d", 3), ("x", 0), ("a", 0), ("e", 6), ends=(2,), unfinished=(4, 7)
    )
    # c, d and e lead nobody knows where; a does, too, but lives; x came to a wrong answer.
    successors, alive, _ = dag_of(tree)
    assert successors == {"": {"a", "x"}, "a": {"b"}, "b": set(), "x": set()}
    assert alive == {"", "a", "b"}


def test_where_all_was_cut_off_the_question_is_left() -> None:
    assert dag_of(tree_of(("a", 0), ("b", 1), unfinished=(2,))) == ({"": set()}, set(), 0)


def test_nothing_written_is_the_question_alone() -> None:
    assert dag_of(StepTree()) == ({"": set()}, set(), 0)
