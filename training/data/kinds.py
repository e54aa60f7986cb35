"""What the data files hold: each kind of record as a Python type and as an Arrow schema.

A record that is read back equals the one written, field by field. The type of a step is next to `trace_to_json`, which
makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypedDict, TypeVar

import pyarrow as pa

from steiner.reasoning.tasks.languages import Language
from steiner.training.traces.render import SearchFields


class ProblemRecord(TypedDict):
    """A problem that differs from every other of the recipe.

    Attributes:
        id: family and number.
        problem: the family's own fields, as `Family.from_json` reads them; JSON text in the file.
    """

    id: str
    family: str
    language: Language
    size: int
    split: Literal["train", "held_out"]
    solvable: bool
    prompt: str
    problem: dict[str, Any]


# `in` is a keyword, so this one cannot be a class.
DagNode = TypedDict(
    "DagNode",
    {
        "state": str,  # order-free identity, as JSON text
        "to": list[int],  # nodes that legal moves lead to, in canonical order
        "in": int,  # edges that enter
        "depth": int,  # moves from the question
        "distance": int | None,  # moves to the nearest goal, None in a dead branch
    },
)


class DagRecord(TypedDict):
    """Every state of one training problem; node 0 is the question, `id` is the problem's."""

    id: str
    family: str
    size: int
    num_nodes: int
    nodes: list[DagNode]


class TraceRecord(SearchFields):
    """A search for the answer to a prompt.

    Attributes:
        id: the problem's and a number.
        guess: what a search that was cut short should answer: any right answer.
        folded: taught with abandoned branches folded away.
    """

    id: str
    family: str
    language: Language
    size: int
    prompt: str
    guess: str
    folded: bool


class DrillRecord(TypedDict):
    """Primitive exercises on one training problem, as text with the protocol's markers."""

    id: str
    family: str
    language: Language
    size: int
    prompt: str
    text: str


class DialogueRecord(TraceRecord):
    """A trace after earlier turns, alternately the user's and the assistant's text. Its problem has no own DAG."""

    turns: list[str]


Record = TypeVar("Record", bound=Mapping[str, Any], covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Record]):
    """A kind of record.

    Attributes:
        name: folder of its shards.
        json_fields: fields that are JSON text in the file.
    """

    name: str
    schema: pa.Schema
    json_fields: tuple[str, ...] = ()


_TOLD = [
    ("id", pa.string()),
    ("family", pa.string()),
    ("language", pa.string()),
    ("size", pa.int32()),
]
_NODE = pa.struct(
    [
        ("state", pa.string()),
        ("to", pa.list_(pa.int32())),
        ("in", pa.int32()),
        ("depth", pa.int32()),
        ("distance", pa.int32()),
    ]
)
_STEP = pa.struct(
    [
        *((name, pa.string()) for name in ("understanding", "next_step", "verification", "verdict")),
        *((name, pa.string()) for name in ("summary", "decision")),
        ("to_depth", pa.int32()),
        ("node", pa.int32()),
    ]
)
_SEARCH = [
    ("prompt", pa.string()),
    ("guess", pa.string()),
    ("folded", pa.bool_()),
    ("steps", pa.list_(_STEP)),
    ("answer", pa.string()),
]

PROBLEMS: Kind[ProblemRecord] = Kind(
    "problems",
    pa.schema(
        [
            *_TOLD,
            ("split", pa.string()),
            ("solvable", pa.bool_()),
            ("prompt", pa.string()),
            ("problem", pa.string()),
        ]
    ),
    json_fields=("problem",),
)
DAGS: Kind[DagRecord] = Kind(
    "dags",
    pa.schema(
        [
            ("id", pa.string()),
            ("family", pa.string()),
            ("size", pa.int32()),
            ("num_nodes", pa.int32()),
            ("nodes", pa.list_(_NODE)),
        ]
    ),
)
TRACES: Kind[TraceRecord] = Kind("traces", pa.schema([*_TOLD, *_SEARCH]))
DRILLS: Kind[DrillRecord] = Kind(
    "drills", pa.schema([*_TOLD, ("prompt", pa.string()), ("text", pa.string())])
)
DIALOGUES: Kind[DialogueRecord] = Kind(
    "dialogues", pa.schema([*_TOLD, ("turns", pa.list_(pa.string())), *_SEARCH])
)
KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in (PROBLEMS, DAGS, TRACES, DRILLS, DIALOGUES)}
"""In the order in which they are made."""
