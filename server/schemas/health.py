"""Answer of the probes."""

from __future__ import annotations

from pydantic import BaseModel, Field

from steiner.server.lifecycle import Phase


class Health(BaseModel):
    """The phase that the process is in."""

    status: Phase = Field(description="loading, ready, draining or failed.")
