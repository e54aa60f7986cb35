"""Phases of the process: loading, ready, draining, failed. Probes and routes ask; main moves it on."""

from __future__ import annotations

import asyncio
from typing import Literal

from steiner.server.errors import EngineUnavailable, NotReady

Phase = Literal["loading", "ready", "draining", "failed"]


class Lifecycle:
    """The phase, and an event that is set when the process must end because the engine is gone."""

    def __init__(self) -> None:
        self.phase: Phase = "loading"
        self.failed = asyncio.Event()

    def loaded(self) -> None:
        """The engine serves, unless the process is already shutting down."""
        if self.phase == "loading":
            self.phase = "ready"

    def drain(self) -> None:
        """No new generations from here on."""
        if self.phase != "failed":
            self.phase = "draining"

    def fail(self) -> None:
        """The engine is gone for good."""
        self.phase = "failed"
        self.failed.set()

    def require_ready(self) -> None:
        """Raises NotReady unless new generations may start."""
        match self.phase:
            case "ready":
                return
            case "loading":
                raise NotReady(
                    "the model is still loading; ask again when /ready answers 200", code="loading"
                )
            case "draining":
                raise NotReady("the server is shutting down; send the request elsewhere", code="draining")
            case "failed":
                raise EngineUnavailable(
                    "the engine has stopped; the server is about to restart", code="engine_dead"
                )
