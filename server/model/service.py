"""What stands behind the routes: the model, its phase, its generations, and what begins them."""

from __future__ import annotations

import time

from prometheus_client import REGISTRY, CollectorRegistry

from steiner.server.access.step_seal import StepSeal
from steiner.server.engine.base import EngineDead
from steiner.server.generations.registry import Generations
from steiner.server.generations.store.base import StoreError
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.model.dispatch import Dispatch
from steiner.server.model.entrance import Entrance
from steiner.server.model.lifecycle import Lifecycle
from steiner.server.model.loading import LoadError, load_model, policy_of_settings
from steiner.server.model.metrics import Metrics
from steiner.server.settings import Settings


class Service:
    """One model behind the routes.

    Args:
        settings: of the deployment.
        registry: where metrics live; vLLM's are in the default one.
    """

    def __init__(self, settings: Settings, registry: CollectorRegistry = REGISTRY) -> None:
        self.settings = settings
        self.registry = registry
        self.metrics = Metrics(registry)
        self.lifecycle = Lifecycle()
        self.generations = Generations(
            settings, lambda operation: self.metrics.store_errors.labels(operation).inc()
        )
        self.entrance = Entrance(settings, self.lifecycle, self.metrics.queue_wait.observe)
        admission = self.entrance.admission
        self.metrics.active.set_function(lambda: admission.num_running)
        self.metrics.queued.set_function(lambda: admission.num_waiting)
        self.loaded: LoadedModel | None = None
        self.step_seal = StepSeal([key.get_secret_value() for key in settings.reasoning_seal_key])
        self.created = int(time.time())
        self._dispatch: Dispatch | None = None

    async def load(self) -> None:
        """Load tokenizer and weights; the service is ready afterwards.

        Raises:
            LoadError: they cannot be loaded, or the store of generations cannot be used.
        """
        # First: a mistake in the settings should not take until the weights are loaded.
        try:
            await self.generations.open()
        except StoreError as error:
            raise LoadError(str(error)) from error
        self.adopt(await load_model(self.settings))

    def adopt(self, loaded: LoadedModel) -> None:
        """Serve this model from now on.

        Raises:
            LoadError: the settings ask of its protocol what that cannot do.
        """
        default_policy = policy_of_settings(self.settings, loaded.bound.protocol)
        self._dispatch = Dispatch(
            self.settings,
            self.metrics,
            self.entrance,
            self.generations,
            loaded,
            default_policy,
            on_engine_dead=self.lifecycle.fail,
        )
        self.loaded = loaded
        self.metrics.read_draft_counts = loaded.engine.draft_counts
        self.lifecycle.loaded()

    def drain(self) -> None:
        """Take no new generations, and send away those that wait for their turn."""
        self.lifecycle.drain()
        self.entrance.admission.turn_away_waiting()

    async def close(self) -> None:
        """Save what is not saved yet, and free the engine."""
        await self.generations.close()
        await self.entrance.rates.close()
        if self.loaded is not None:
            self.loaded.engine.shutdown()

    async def check_engine(self) -> None:
        """Notice an engine that died between requests."""
        if self.loaded is not None and self.lifecycle.phase != "failed":
            try:
                await self.loaded.engine.check_health()
            except EngineDead:
                self.lifecycle.fail()

    @property
    def dispatch(self) -> Dispatch:
        """What begins generations.

        Raises:
            ApiError: the server is not ready.
        """
        self.lifecycle.require_ready()
        assert self._dispatch is not None
        return self._dispatch
