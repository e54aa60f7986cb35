"""GET /v1/models."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.routing import Match
from starlette.types import Scope

from steiner.server.api.dependencies import ServiceOfApp
from steiner.server.api.documentation.responses import refusals
from steiner.server.errors import UnknownResource
from steiner.server.model.service import Service


class ModelCard(BaseModel):
    """OpenAI's model object, with what a client of a reasoning model wants to know."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time in seconds.")
    owned_by: str = "steiner"
    max_model_len: int | None = Field(description="Prompt and completion in tokens; null while loading.")
    reasoning_protocol: str | None = Field(description="As in docs/protocols.md; null while loading.")


class ModelList(BaseModel):
    """OpenAI's list of models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class ModelRoute(APIRoute):
    """Below this path are names of models. For methods other than GET, only the served model's path exists."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route has the path, and also the method."""
        match, inner = super().matches(scope)
        name = inner.get("path_params", {}).get("model")
        if name == "" or (match is Match.PARTIAL and name not in (None, _model_id(scope))):
            return Match.NONE, {}
        return match, inner


def _model_id(scope: Scope) -> str:
    return str(scope["app"].state.service.settings.model_id)


router = APIRouter(prefix="/v1/models", tags=["models"], route_class=ModelRoute)

ModelName = Annotated[str, Path(description="Name as in the list; it may have slashes.")]


def _card(service: Service) -> ModelCard:
    loaded = service.loaded
    return ModelCard(
        id=service.settings.model_id,
        created=service.created,
        max_model_len=loaded.engine.max_model_len if loaded else None,
        reasoning_protocol=loaded.bound.protocol.name if loaded else None,
    )


@router.get("", summary="The served model", responses=refusals(401, 500))
async def list_models(service: ServiceOfApp) -> ModelList:
    """OpenAI's list of models, with one entry."""
    return ModelList(data=[_card(service)])


@router.get("/{model:path}", summary="One model", responses=refusals(401, 404, 500))
async def read_model(model: ModelName, service: ServiceOfApp) -> ModelCard:
    """The served model, if that is its name."""
    if model != service.settings.model_id:
        raise UnknownResource(
            f"no model {model[:80]!r}; this server has {service.settings.model_id!r}", code="model_not_found"
        )
    return _card(service)
