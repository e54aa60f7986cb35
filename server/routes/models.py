"""GET /v1/models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from steiner.server.errors import UnknownResource
from steiner.server.routes.dependencies import ServiceOfApp
from steiner.server.service import Service

router = APIRouter(prefix="/v1/models", tags=["models"])


def _card(service: Service) -> dict[str, Any]:
    loaded = service.loaded
    return {
        "id": service.settings.model_id,
        "object": "model",
        "created": service.created,
        "owned_by": "steiner",
        "max_model_len": loaded.engine.max_model_len if loaded else None,
        "reasoning_protocol": loaded.bound.protocol.name if loaded else None,
    }


@router.get("", summary="The served model")
async def list_models(service: ServiceOfApp) -> dict[str, Any]:
    """OpenAI's list of models, with one entry."""
    return {"object": "list", "data": [_card(service)]}


@router.get("/{model:path}", summary="One model")
async def read_model(model: str, service: ServiceOfApp) -> dict[str, Any]:
    """The served model, if that is its name."""
    if model != service.settings.model_id:
        raise UnknownResource(
            f"no model {model!r}; this server has {service.settings.model_id!r}", code="model_not_found"
        )
    return _card(service)
