"""The base of every object in a request body."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from steiner.server.intake.not_offered import NOT_OFFERED_IN, WITHOUT_EFFECT_IN, without_what_is_not_offered


def type_of(given: object) -> object:
    """The `type` of an object, raw or validated; None if it has none."""
    return given.get("type") if isinstance(given, dict) else getattr(given, "type", None)


class RequestModel(BaseModel):
    """Base of every request object: nothing unknown, no NaN, and what is known elsewhere is refused with its reason."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The class' schema; one that has such fields looks at them first."""
        schema = handler(source)
        not_offered = NOT_OFFERED_IN.get(cls.__name__, {})
        without_effect = WITHOUT_EFFECT_IN.get(cls.__name__, frozenset())
        if not (not_offered or without_effect):
            return schema

        def known_here(data: Any) -> Any:
            offered = without_what_is_not_offered(data, not_offered)
            if not isinstance(offered, dict):
                return offered
            return {name: value for name, value in offered.items() if name not in without_effect}

        return core_schema.no_info_before_validator_function(known_here, schema)
