"""What stands behind the routes: the loaded model, the running generations, and how a request becomes one."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from steiner.reasoning.events import Event
from steiner.reasoning.policy import Policy
from steiner.server.access.admission import Admission
from steiner.server.access.keys import Caller, Quotas
from steiner.server.access.rates import Kind, Rates
from steiner.server.access.step_seal import StepSeal
from steiner.server.conductor.conductor import Conductor
from steiner.server.conductor.requests import choices_of
from steiner.server.engine.base import EngineDead
from steiner.server.errors import UnknownResource
from steiner.server.generations.generation import Generation
from steiner.server.generations.readable import Endpoint
from steiner.server.generations.registry import Generations
from steiner.server.generations.store.base import StoreError
from steiner.server.http.request_context import Account, current_request
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.request import GenerationRequest
from steiner.server.intake.resolution import assignment_of, check_prompt, resolve_num_choices
from steiner.server.model.lifecycle import Lifecycle
from steiner.server.model.loading import LoadError, load_model, policy_of_settings
from steiner.server.model.metrics import GenerationMeter, Metrics
from steiner.server.settings import Settings

ID_PREFIX: dict[Endpoint, str] = {"chat": "chatcmpl-", "reasoning": "rsn_", "responses": "resp_"}


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
        self.quotas = Quotas(settings.default_limits, settings.api_keys)
        self.rates = Rates(self.quotas, settings.store_redis_url)
        self.admission = Admission(
            max_running=settings.num_places,
            max_queued=settings.max_queued,
            max_wait_s=settings.queue_timeout_s,
            max_concurrent=self.quotas.max_concurrent,
            on_wait=self.metrics.queue_wait.observe,
        )
        self.metrics.active.set_function(lambda: self.admission.num_running)
        self.metrics.queued.set_function(lambda: self.admission.num_waiting)
        self.loaded: LoadedModel | None = None
        self.step_seal = StepSeal([key.get_secret_value() for key in settings.reasoning_seal_key])
        self.created = int(time.time())
        self._default_policy = Policy()

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
        self._default_policy = policy_of_settings(self.settings, loaded.bound.protocol)
        self.loaded = loaded
        self.lifecycle.loaded()

    def drain(self) -> None:
        """Take no new generations, and send away those that wait for their turn."""
        self.lifecycle.drain()
        self.admission.turn_away_waiting()

    async def close(self) -> None:
        """Save what is not saved yet, and free the engine."""
        await self.generations.close()
        await self.rates.close()
        if self.loaded is not None:
            self.loaded.engine.shutdown()

    async def check_engine(self) -> None:
        """Notice an engine that died between requests."""
        if self.loaded is not None and self.lifecycle.phase != "failed":
            try:
                await self.loaded.engine.check_health()
            except EngineDead:
                self.lifecycle.fail()

    async def start(
        self,
        request: GenerationRequest,
        endpoint: Endpoint,
        caller: Caller,
        *,
        retain: bool,
        record: dict[str, Any] | None = None,
        id_suffix: str | None = None,
    ) -> Generation:
        """Begin a generation; see `start_choices`."""
        [generation] = await self.start_choices(
            request, endpoint, caller, retain=retain, record=record, id_suffix=id_suffix
        )
        return generation

    async def start_choices(
        self,
        request: GenerationRequest,
        endpoint: Endpoint,
        caller: Caller,
        *,
        retain: bool,
        record: dict[str, Any] | None = None,
        id_suffix: str | None = None,
    ) -> list[Generation]:
        """Begin as many generations of a request as it has choices: all of them, or none.

        Args:
            request: what to generate.
            endpoint: under which it was asked for.
            caller: to whom they belong.
            retain: whether they can be found by their ids, while they run and afterwards.
            record: what the endpoint will want to know of the request later; JSON.
            id_suffix: of its id, if the endpoint has chosen one; 32 hexadecimal digits.

        Raises:
            ApiError: the request is refused, or the server is not ready.
        """
        self.lifecycle.require_ready()
        loaded = self.loaded
        assert loaded is not None
        if request.model is not None and request.model != self.settings.model_id:
            raise UnknownResource(
                f"no model {request.model[:80]!r}; this server has {self.settings.model_id!r}",
                param="model",
                code="model_not_found",
            )
        num_choices = resolve_num_choices(request, self.settings.max_choices)
        self.admission.check(caller, num_choices)
        await self._take(caller, "requests", 1)
        generation_id = ID_PREFIX[endpoint] + (id_suffix or uuid.uuid4().hex)
        assignment = await assignment_of(request, loaded, self.settings, self._default_policy, generation_id)
        check_prompt(request, len(assignment.prompt_ids), self.settings.max_prompt_tokens)
        await self._take(caller, "tokens", len(assignment.prompt_ids), request.field_names.messages)
        # Encoding a long prompt takes a while, in which the server may have begun to drain.
        self.lifecycle.require_ready()
        generations = []
        with contextlib.ExitStack() as undo:
            places = self.admission.enter(caller, num_choices)
            for place in places:
                undo.callback(place.release)
            for choice, place in zip(choices_of(assignment, num_choices), places, strict=True):
                conductor = loaded.conductor(choice)
                meter = self._meter(conductor, endpoint, caller)
                generation = Generation(
                    conductor,
                    owner=caller.name,
                    endpoint=endpoint,
                    request=record or {},
                    place=place,
                    max_buffer_bytes=self.settings.max_stream_bytes,
                    timeout_s=self.settings.generation_timeout_s,
                    observe=meter,
                    on_engine_dead=self.lifecycle.fail,
                )
                await self.generations.start(generation, retain=retain)
                undo.callback(generation.cancel)
                generations.append(generation)
            undo.pop_all()
        await self.generations.until_shared(generations)
        return generations

    async def _take(self, caller: Caller, kind: Kind, cost: int, param: str | None = None) -> None:
        current_request().response_headers |= await self.rates.take(caller, kind, cost, param)

    def _meter(
        self, conductor: Conductor, endpoint: Endpoint, caller: Caller
    ) -> Callable[[Sequence[Event]], None]:
        """What counts a generation's events: metrics, its caller's rate, its request's log line."""
        request, assignment = current_request(), conductor.assignment
        metered = GenerationMeter(self.metrics, endpoint, conductor.progress, request.arrived_s)
        account = Account(
            assignment.id, len(assignment.prompt_ids), conductor.progress, self.rates.spender(caller)
        )
        request.accounts.append(account)

        def observe(events: Sequence[Event]) -> None:
            metered.observe(events)
            account.observe(events)

        return observe
