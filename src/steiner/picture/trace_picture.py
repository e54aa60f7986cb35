"""The picture of a trace: its tree, its title, and what the signs mean."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from steiner.picture import palette
from steiner.picture.badge import standing_of
from steiner.picture.branches import LANE, LEVEL_GAP, SIBLING_GAP, Point, edge, returns
from steiner.picture.cards import WIDTH, Card, Note, draw_card, step_card, text_card
from steiner.picture.legend import ARROW, LIVE_WIDTH, RETURN_DASH, Sign, arrow, draw_legend, unknown_place
from steiner.picture.shapes import Group, Label, Outline, Picture, Segment
from steiner.picture.text_fit import shortened
from steiner.picture.tree_layout import Extent, Gaps, Place, lay_out
from steiner.reasoning.steps import Backtrack, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import ANSWER, PROBLEM, TraceTree, tree_of

Direction = Literal["right", "down"]
MARGIN = 32.0
MIN_WIDTH = 640.0
TREE_GAP = 64.0
TITLE, SUBTITLE = 16.0, 11.0
#: Wider than this, a tree may grow down instead, if that makes its longest side shorter.
WIDE = 1400.0


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Where the laid-out tree stands in the picture."""

    direction: Direction
    x: float
    y: float

    def point(self, along: float, across: float) -> Point:
        """Axes of the layout to those of the picture."""
        if self.direction == "right":
            return self.x + along, self.y + across
        return self.x + across, self.y + along

    def path(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """The same for a path."""
        return tuple(
            tuple(value for at in range(0, len(part), 2) for value in self.point(part[at], part[at + 1]))
            for part in segments
        )


def picture_of(
    trace: Trace,
    problem: str = "",
    direction: Direction | None = None,
) -> Picture:
    """Draw a trace.

    Args:
        problem: what was asked, if the trace does not say.
        direction: where the tree grows; None: to the right, unless that makes the picture too wide to look at.
    """
    tree = tree_of(trace)
    cards = _cards(trace, tree, problem or trace.problem)
    if direction is None:
        direction = _better_direction(tree, cards)
    places = _places(tree, cards, direction)
    title = _title(trace)
    canvas = _Canvas(direction, MARGIN, MARGIN + title.height)
    corners = [canvas.point(place.along_end, place.across_end) for place in places.values()]
    width = max(MIN_WIDTH, *(x + MARGIN for x, _ in corners))
    bottom = max(y for _, y in corners) + 22
    legend, legend_height = draw_legend(_signs(trace, tree), MARGIN, bottom, width - 2 * MARGIN)
    return Picture(
        width,
        bottom + legend_height + 14,
        (
            title.drawn(width),
            _edges(tree, places, canvas, live=False),
            _backtracks(tree, places, canvas),
            _edges(tree, places, canvas, live=True),
            _unknown(tree, places, canvas),
            *_drawn_cards(tree, cards, places, canvas),
            legend,
        ),
        f"Reasoning tree {trace.id}".strip(),
        f"{title.subtitle}. Answer: {trace.reply or 'none'}",
    )


@dataclass(frozen=True, slots=True)
class _Title:
    head: str
    subtitle: str
    height: float = 56.0

    def drawn(self, width: float) -> Group:
        room = width - 2 * MARGIN
        head = shortened(self.head, TITLE, room, bold=True)
        return Group(
            (
                Label(MARGIN, MARGIN + 8, head, TITLE, palette.INK, bold=True),
                Label(MARGIN, MARGIN + 27, shortened(self.subtitle, SUBTITLE, room), SUBTITLE, palette.MUTED),
            )
        )


def _title(trace: Trace) -> _Title:
    ended = "not ended" if trace.ended_by is None else f"ended by {trace.ended_by}"
    counts = (
        _counted(len(trace.steps), "step"),
        _counted(trace.num_backtracks, "backtrack"),
        ended,
        _counted(trace.num_reasoning_tokens, "reasoning token"),
        *([_counted(trace.num_forced_tokens, "forced token")] if trace.num_forced_tokens else []),
        *([_counted(trace.num_violations, "protocol violation")] if trace.num_violations else []),
        *([f"protocol {trace.protocol}"] if trace.protocol else []),
        *([trace.id] if trace.id else []),
    )
    of_model = f" of {trace.model}" if trace.model else ""
    return _Title(f"Reasoning tree{of_model}", " \N{MIDDLE DOT} ".join(counts))


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _cards(trace: Trace, tree: TraceTree, problem: str) -> dict[int, Card]:
    cards = {PROBLEM: text_card("problem", problem)}
    for step in trace.steps:
        cut_in = (
            Note(f"{cut.kind}: {cut.detail}", palette.INK)
            for cut in trace.interventions
            if cut.step == step.id
        )
        cards[step.id] = step_card(step, (*_notes(step, tree), *cut_in))
    if trace.reply:
        cards[ANSWER] = text_card("answer", trace.reply)
    return cards


def _notes(step: Step, tree: TraceTree) -> tuple[Note, ...]:
    notes = []
    if tree.parents[step.id] is None:
        notes.append(Note("goes on from an unknown place", palette.RETURN))
    by_force = " by force" if step.decision_forced else ""
    if isinstance(step.decision, Backtrack):
        place = _place_named(tree.destinations.get(step.id), step.decision.to_depth)
        notes.append(Note(f"back to {place}{by_force}", palette.RETURN))
    elif step.decision is not None and by_force:
        notes.append(Note(f"{step.decision.type}{by_force}"))
    return tuple(notes)


def _place_named(node: int | None, depth: int | None) -> str:
    if PROBLEM in (node, depth):
        return "the problem"
    if node is not None:
        return f"step {node}"
    return "an unknown place" if depth is None else f"depth {depth}"


def _better_direction(tree: TraceTree, cards: Mapping[int, Card]) -> Direction:
    right, down = (_size(_places(tree, cards, direction)) for direction in ("right", "down"))
    return "down" if right[0] > WIDE and max(down) < max(right) else "right"


def _size(places: Mapping[int, Place]) -> tuple[float, float]:
    return max(place.along_end for place in places.values()), max(
        place.across_end for place in places.values()
    )


def _places(tree: TraceTree, cards: Mapping[int, Card], direction: str) -> dict[int, Place]:
    extents = {
        node: Extent(WIDTH, card.height) if direction == "right" else Extent(card.height, WIDTH)
        for node, card in cards.items()
    }
    return lay_out(tree.parents, extents, Gaps(LEVEL_GAP, SIBLING_GAP, TREE_GAP))


def _edges(tree: TraceTree, places: Mapping[int, Place], canvas: _Canvas, *, live: bool) -> Group:
    colour, width = (palette.VERIFIED, LIVE_WIDTH) if live else (palette.LINE, 1.5)
    return Group(
        tuple(
            Outline(canvas.path(edge(places[parent], places[node])), colour, width)
            for node, parent in tree.parents.items()
            if parent is not None and ({node, parent} <= tree.live) == live
        )
    )


def _backtracks(tree: TraceTree, places: Mapping[int, Place], canvas: _Canvas) -> Group:
    ways = returns(places, tree.parents, tree.destinations)
    lines = (Outline(canvas.path(line), palette.RETURN, 1.4, dash=RETURN_DASH) for line in ways.lines)
    heads = (
        arrow(canvas.point(along, across), canvas.point(along + ARROW, across)) for along, across in ways.tips
    )
    return Group((*lines, *heads))


def _unknown(tree: TraceTree, places: Mapping[int, Place], canvas: _Canvas) -> Group:
    """Ends of lines to and from unknown places: of steps that went there, and of nodes that came from there."""
    shapes: list[Outline | Label] = []
    from_nowhere = {node for node, parent in tree.parents.items() if parent is None} - {PROBLEM}
    for node in sorted(tree.lost | from_nowhere):
        place = places[node]
        across = place.middle + (LANE if node in tree.lost else 0)
        near, far = canvas.point(place.along, across), canvas.point(place.along - 14, across)
        shapes.append(Outline((near, far), palette.RETURN, 1.4, dash=RETURN_DASH))
        shapes += unknown_place(*canvas.point(place.along - 21, across))
    return Group(tuple(shapes))


def _drawn_cards(
    tree: TraceTree, cards: Mapping[int, Card], places: Mapping[int, Place], canvas: _Canvas
) -> tuple[Group, ...]:
    return tuple(
        replace(
            draw_card(card, *canvas.point(places[node].along, places[node].across), node in tree.live),
            data=_data(tree, node, card),
        )
        for node, card in cards.items()
    )


def _data(tree: TraceTree, node: int, card: Card) -> tuple[tuple[str, str], ...]:
    """In words, what the card's place and signs say."""
    parent = tree.parents[node]
    told: dict[str, int | str] = {"node": node, "parent": "unknown" if parent is None else parent}
    if card.kind == "step":
        told |= {"standing": card.standing.replace(" ", "-"), "forced": str(card.forced).lower()}
    if node in tree.destinations:
        told["back-to"] = tree.destinations[node]
    told["live"] = str(node in tree.live).lower()
    return tuple((name, str(value)) for name, value in told.items())


def _signs(trace: Trace, tree: TraceTree) -> list[Sign]:
    signs: list[Sign] = [standing_of(step) for step in trace.steps]
    signs += ["interrupted"] * any(step.interrupted for step in trace.steps)
    signs += ["forced"] * any(step.verdict_forced for step in trace.steps)
    signs += ["live path"] * any({node, parent} <= tree.live for node, parent in tree.parents.items())
    signs += ["backtrack"] * bool(tree.destinations)
    signs += ["unknown"] * bool(tree.lost or any(step.parent is None for step in trace.steps))
    return signs
