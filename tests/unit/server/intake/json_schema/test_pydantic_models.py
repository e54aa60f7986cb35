"""Schemas as pydantic writes them for ordinary models: enforced, and pydantic reads what can be written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    IPvAnyAddress,
    NonNegativeFloat,
    PositiveInt,
    RootModel,
    StringConstraints,
    TypeAdapter,
    conint,
    conlist,
    constr,
)
from typing_extensions import TypedDict

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.grammar import schema_rules

NUM_WALKS = 20


class Plain(BaseModel):
    name: str
    age: int
    height: float
    is_member: bool
    nothing: None = None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    tags: list[str] = Field(default_factory=list, max_length=3)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Optionals(BaseModel):
    required_but_null: int | None
    left_out: str | None = None
    several: int | str | list[int] | None = None


class Color(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Enums(BaseModel):
    color: Color
    level: Level = Level.LOW
    mode: Literal["fast", "slow"]
    one: Literal["only"] = "only"
    mixed: Literal[1, "two", True, None]


class Times(BaseModel):
    at: datetime
    on: date
    when: time | None = None


class Formats(BaseModel):
    id: UUID
    mail: EmailStr
    page: AnyUrl


class Constrained(BaseModel):
    code: constr(pattern=r"^[A-Z]{2}\d{3}$")  # type: ignore[valid-type]
    count: conint(ge=1, le=10)  # type: ignore[valid-type]
    some: conlist(int, min_length=1, max_length=3)  # type: ignore[valid-type]
    share: Annotated[float, Field(gt=0, lt=1)]
    even: Annotated[int, Field(multiple_of=2)]
    short: Annotated[str, StringConstraints(min_length=1, max_length=5)]
    positive: PositiveInt
    size: NonNegativeFloat


class Maps(BaseModel):
    counts: dict[str, int]
    by_code: dict[Annotated[str, StringConstraints(pattern="^[a-z]+$")], list[float]] = {}
    anything: dict[str, Any] = {}


class Tuples(BaseModel):
    pair: tuple[int, str]
    many: tuple[int, ...]
    sequence: Sequence[str] = ()


class Address(BaseModel):
    street: str
    city: str = Field(description="Where it is", examples=["Oslo"])


class Nested(BaseModel):
    home: Address
    others: list[Address] = []
    by_name: dict[str, Address] = {}


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Employee(BaseModel):
    name: str
    boss: Employee | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    breed: str | None = None


class Discriminated(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class PlainUnion(BaseModel):
    pets: list[Cat | Dog]


class Number(BaseModel):
    price: Decimal
    exact: Annotated[Decimal, Field(ge=0, le=100)]


class Aliased(BaseModel):
    value: int = Field(alias="theValue")
    other: str = Field(alias="other-value", default="")


class Base(BaseModel):
    id: PositiveInt


class Derived(Base):
    name: str = Field(min_length=1, json_schema_extra={"x-order": 1})


class Defaults(BaseModel):
    numbers: list[int] = [1, 2]
    address: Address = Address(street="a", city="b")
    title: str = Field("untitled", title="Title", deprecated=True)


class Typed(TypedDict):
    a: int
    b: str


class WithTyped(BaseModel):
    typed: Typed


class Steps(RootModel[list[str]]):
    pass


class Reasoned(BaseModel):
    steps: list[Annotated[str, Field(max_length=20)]] = Field(min_length=1, max_length=3)
    final: Literal["yes", "no"]


class Expression(BaseModel):
    operator: Literal["+", "-"]
    left: Expression | int
    right: Expression | int


class AnyOfAnything(BaseModel):
    anything: Any
    thing: object = None


class FixedSet(BaseModel):
    chosen: set[Literal["a", "b", "c"]]
    colors: frozenset[Color] = frozenset()


MODELS = [
    Plain, Closed, Open, Optionals, Enums, Times, Formats, Constrained, Maps, Tuples, Nested, Tree, Employee,
    Discriminated, PlainUnion, Aliased, Derived, Defaults, WithTyped, Steps, Reasoned, Expression,
    AnyOfAnything, FixedSet, list[Address], dict[str, Literal[1, 2]], int | None, Cat | Dog, tuple[Literal["x"], bool],
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_pydantic_reads_what_can_be_written(byte_grammar: Any, model: Any, mode: Any) -> None:
    adapter = TypeAdapter(model)
    grammar = byte_grammar.of_schema(adapter.json_schema(mode=mode))
    draw, num_ended = random.Random(7), 0
    for _ in range(NUM_WALKS):
        text = grammar.walk(draw, 3000)
        if text is not None:
            num_ended += 1
            adapter.validate_json(text)
    assert num_ended >= NUM_WALKS / 2


class Distinct(BaseModel):
    names: set[str]


class Page(BaseModel):
    page: HttpUrl


class Waiting(BaseModel):
    wait: timedelta


class Host(BaseModel):
    address: IPvAnyAddress


@pytest.mark.parametrize(
    ("model", "pointer"),
    [
        (Distinct, "/properties/names/uniqueItems"),
        (Host, "/properties/address/format"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_place(model: type[BaseModel], pointer: str) -> None:
    with pytest.raises(SchemaRefusal) as refused:
        schema_rules(model.model_json_schema())
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("model", [Page, Waiting, Number])
def test_what_pydantic_reads_more_narrowly_than_it_says_is_kept_as_it_says(
    byte_grammar: Any, model: Any
) -> None:
    """Their schemas say `uri`, `duration` and any string, and more of each fits than pydantic reads."""
    assert byte_grammar.of_schema(model.model_json_schema()).walk(random.Random(1), 3000) is not None
