"""Answer of the probes."""

from __future__ import annotations

from pydantic import BaseModel, Field

from steiner.server.lifecycle import Phase
from steiner.server.store.base import StoreState


class Health(BaseModel):
    """The phase that the process is in, which decides the status of the answer, and the state of its store."""

    status: Phase = Field(description="loading, ready, draining or failed.")
    store: StoreState = Field(
        description="closed before it is needed; failing while generations cannot be saved: they run on from memory."
    )
