"""From a request's tools to what the answer may call. Refusals name the field."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from steiner.server.errors import InvalidRequest
from steiner.server.intake.tools.schemas import (
    MAX_TOOLS,
    AllowedToolsChoice,
    FunctionChoice,
    FunctionDefinition,
    FunctionTool,
    ToolChoice,
)

NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
CallMode = Literal["none", "auto", "required"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that may be called.

    Attributes:
        index: of its tool in the request.
        schema: JSON Schema of its arguments, an object.
        is_strict: whether the request is refused if the schema cannot be enforced.
    """

    index: int
    name: str
    schema: dict[str, Any]
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How the answer may use tools.

    Attributes:
        functions: those that may be called.
        mode: whether none, any number or at least one is called.
        parallel: whether more than one may be called in one answer.
    """

    functions: tuple[Function, ...]
    mode: CallMode
    parallel: bool

    @property
    def name(self) -> str:
        """What the answer is, for people."""
        match self.mode:
            case "none":
                return "text without calls of tools"
            case "auto":
                return "text and legal calls of tools"
            case "required":
                names = ", ".join(function.name for function in self.functions)
                return f"calls of {names}" if len(names) < 80 else f"calls of {len(self.functions)} functions"


def resolve_tool_use(
    tools: list[FunctionTool] | None, choice: ToolChoice | None, parallel: bool | None
) -> ToolUse | None:
    """What a request asks for; None if it has no tools.

    Raises:
        InvalidRequest: too many tools, two of one name, a strict tool whose parameters are not an object, or a choice
            without tools.
    """
    if not tools:
        if choice not in (None, "none", "auto"):
            raise _invalid(
                "tool_choice asks for a call, and the request has no tools; send tools", "tool_choice"
            )
        return None
    if len(tools) > MAX_TOOLS:
        raise _invalid(f"there are {len(tools)} tools, and the limit is {MAX_TOOLS}; send fewer", "tools")
    functions = tuple(_function(index, tool.function) for index, tool in enumerate(tools))
    (name, count), *_ = Counter(function.name for function in functions).most_common(1)
    if count > 1:
        index = [function.name for function in functions].index(name, _index_of(functions, name) + 1)
        raise _invalid(
            f"{count} tools have the name {name!r}; give each its own", f"tools.{index}.function.name"
        )
    allowed, mode = _chosen(functions, choice)
    return ToolUse(allowed, mode, parallel is not False)


def _chosen(
    functions: tuple[Function, ...], choice: ToolChoice | None
) -> tuple[tuple[Function, ...], CallMode]:
    match choice:
        case None:
            return functions, "auto"
        case FunctionChoice(function=named):
            return (_named(functions, named.name, "tool_choice.function.name"),), "required"
        case AllowedToolsChoice(allowed_tools=allowed):
            field = "tool_choice.allowed_tools.tools"
            chosen = {
                one.function.name: _named(functions, one.function.name, f"{field}.{index}.function.name")
                for index, one in enumerate(allowed.tools)
            }
            return tuple(chosen.values()), allowed.mode
        case mode:
            return functions, mode


def _named(functions: tuple[Function, ...], name: str, param: str) -> Function:
    if all(function.name != name for function in functions):
        known = ", ".join(function.name for function in functions[:10])
        raise _invalid(f"no tool is named {name!r}; the request's tools are {known}", param)
    return functions[_index_of(functions, name)]


def _index_of(functions: tuple[Function, ...], name: str) -> int:
    return [function.name for function in functions].index(name)


def _function(index: int, definition: FunctionDefinition) -> Function:
    schema = definition.parameters or NO_PARAMETERS
    if definition.strict and schema.get("type") != "object":
        raise _invalid(
            f"parameters of {definition.name!r} must be a JSON Schema of type 'object', given type "
            f"{schema.get('type')!r}; arguments are always a JSON object",
            f"tools.{index}.function.parameters",
        )
    return Function(index, definition.name, schema, bool(definition.strict))


def _invalid(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_value")
