"""Edges end at their nodes; a backtrack retraces its way and ends in an arrow at the node returned to."""

import pytest

from steiner.picture.branches import LANE, LEVEL_GAP, PASSING, RETURN_TRUNK, SIBLING_GAP, edge, returns
from steiner.picture.tree_layout import Extent, Gaps, lay_out

PARENTS = {0: None, 1: 0, 2: 1, 3: 1, 4: 0}
PLACES = lay_out(PARENTS, dict.fromkeys(PARENTS, Extent(100, 50)), Gaps(LEVEL_GAP, SIBLING_GAP, 50))


def test_an_edge_leads_from_side_to_side() -> None:
    for parent, child in ((0, 1), (0, 4), (1, 2)):
        path = edge(PLACES[parent], PLACES[child])
        assert path[0] == (PLACES[parent].along_end, PLACES[parent].middle)
        assert path[-1] == (PLACES[child].along, PLACES[child].middle)
    chain = lay_out({0: None, 1: 0}, {0: Extent(9, 5), 1: Extent(9, 5)}, Gaps(LEVEL_GAP, 1, 1))
    assert len(edge(chain[0], chain[1])) == 2


def test_back_to_the_parent() -> None:
    ways = returns(PLACES, PARENTS, {2: 1})
    tip = (PLACES[1].along_end, PLACES[1].middle + LANE)
    trunk, lane = PLACES[2].along - RETURN_TRUNK, PLACES[2].middle + LANE
    assert ways.tips == (tip,)
    assert set(ways.lines) == {
        ((PLACES[2].along, lane), (trunk, lane)),
        ((trunk, lane), (trunk, tip[1])),
        ((trunk, tip[1]), tip),
    }


def test_back_past_a_node_that_is_left_behind() -> None:
    ways = returns(PLACES, PARENTS, {3: 0})
    passing = PLACES[1].across_end + PASSING
    assert ways.tips == ((PLACES[0].along_end, PLACES[0].middle + LANE),)
    beside = ((PLACES[3].along - RETURN_TRUNK, passing), (PLACES[1].along - RETURN_TRUNK, passing))
    assert beside in ways.lines


def test_ways_that_run_together_are_drawn_once() -> None:
    ways = returns(PLACES, PARENTS, {2: 0, 3: 0, 4: 0})
    assert len(ways.tips) == 1
    assert len(set(ways.lines)) == len(ways.lines)
    across = [line for line in ways.lines if line[0][0] == line[1][0]]
    for first in across:
        for second in across:
            if first is not second and first[0][0] == second[0][0]:
                assert first[1][1] < second[0][1] or second[1][1] < first[0][1]


@pytest.mark.parametrize("destinations", [{}, {4: 0}])
def test_the_gap_has_room_for_both_trunks(destinations: dict[int, int]) -> None:
    for line in returns(PLACES, PARENTS, destinations).lines:
        assert all(PLACES[0].along_end <= along <= PLACES[1].along for along, _ in line)
