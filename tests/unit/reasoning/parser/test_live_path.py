"""Where the next step hangs while the markers come."""

from steiner.reasoning.parser.step_record import LivePath


def walked(*step_ids: int) -> LivePath:
    path = LivePath()
    for step_id in step_ids:
        path.push(step_id)
    return path


def test_the_first_step_hangs_on_the_problem() -> None:
    path = LivePath()
    assert (path.next_depth, path.tip, path.num_steps) == (1, 0, 0)


def test_down_and_back() -> None:
    path = walked(1, 2, 3)
    path.return_to(1)
    assert (path.next_depth, path.tip) == (2, 1)
    path.push(4)
    assert (path.next_depth, path.tip, path.num_steps) == (3, 4, 2)
    path.return_to(0)
    assert (path.next_depth, path.tip) == (1, 0)


def test_an_unknown_place_stays_unknown() -> None:
    path = walked(1, 2)
    path.return_to(None)
    assert (path.next_depth, path.tip, path.num_steps) == (None, None, None)
    path.push(3)
    assert (path.next_depth, path.tip) == (None, 3)


def test_a_depth_is_known_again_but_not_who_stands_there() -> None:
    path = walked(1, 2)
    path.return_to(None)
    path.return_to(1)
    assert (path.next_depth, path.tip) == (2, None)
    path.return_to(0)
    assert (path.next_depth, path.tip) == (1, 0)
