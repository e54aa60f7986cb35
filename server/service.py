"""What stands behind the routes: the loaded model, the running generations, and how a request becomes one."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry
from pydantic import ValidationError

from steiner.reasoning.decoding import section_texts
from steiner.reasoning.errors import PolicyError, SteinerError, UnknownVerifierError
from steiner.reasoning.events import Event
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import Protocol
from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
from steiner.reasoning.verifiers import find_verifier
from steiner.server.access.account import Account
from steiner.server.access.admission import Admission
from steiner.server.access.caller import Caller
from steiner.server.access.quotas import Quotas
from steiner.server.access.rates import Kind, Rates
from steiner.server.assignment import Assignment
from steiner.server.choices import choices_of
from steiner.server.conductor import Conductor
from steiner.server.daemon_thread import in_daemon_thread
from steiner.server.engine import EngineDead
from steiner.server.errors import InvalidRequest, UnknownResource
from steiner.server.generation import Generation
from steiner.server.generations import Generations
from steiner.server.lifecycle import Lifecycle
from steiner.server.loaded_model import LoadedModel
from steiner.server.metrics import Endpoint, GenerationMeter, Metrics
from steiner.server.prompts import PromptEncoder, PromptError
from steiner.server.refusals import refusal
from steiner.server.request_context import current_request
from steiner.server.resolution import (
    check_prompt,
    problem_of,
    resolve_answer_bias,
    resolve_answer_format,
    resolve_max_tokens,
    resolve_num_choices,
    resolve_policy,
    resolve_sampling,
    resolve_stop,
    resolve_verifier,
    turns_of,
)
from steiner.server.schemas.chat import GenerationRequest
from steiner.server.settings import Settings
from steiner.server.step_seal import StepSeal
from steiner.server.store.base import StoreError
from steiner.server.token_spelling import TokenSpelling
from steiner.server.tokenizer import TokenizerError, load_tokenizer
from steiner.server.tools.conversation import tools_of

ID_PREFIX: dict[Endpoint, str] = {"chat": "chatcmpl-", "reasoning": "rsn_", "responses": "resp_"}


class LoadError(Exception):
    """The model cannot be served; the message says why and what to do."""


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
        from steiner.server.vllm_engine import EngineStartError, VllmEngine

        try:
            tokenizer = await in_daemon_thread(
                lambda: load_tokenizer(self.settings.model, trust_remote_code=self.settings.trust_remote_code)
            )
            named = self.settings.protocol
            protocol = PROTOCOLS[named] if named else detect_protocol(tokenizer)
            bound = protocol.bind(tokenizer)
            # Settings that contradict each other should not take until the weights are loaded.
            self._policy_of_settings(protocol)
            engine = await in_daemon_thread(lambda: VllmEngine.start(self.settings))
        except (TokenizerError, SteinerError, EngineStartError) as error:
            raise LoadError(str(error)) from error
        encoder = PromptEncoder(tokenizer, bound.special_ids)
        new_decoder = section_texts(tokenizer.backend_tokenizer)
        self.adopt(
            LoadedModel(engine, bound, encoder, new_decoder, TokenSpelling(tokenizer, bound.special_ids))
        )

    def adopt(self, loaded: LoadedModel) -> None:
        """Serve this model from now on.

        Raises:
            LoadError: the settings ask of its protocol what that cannot do.
        """
        self._default_policy = self._policy_of_settings(loaded.bound.protocol)
        self.loaded = loaded
        self.lifecycle.loaded()

    def _policy_of_settings(self, protocol: Protocol) -> Policy:
        settings = self.settings
        try:
            policy = settings.reasoning.resolve(settings.reasoning_effort, Policy(), protocol)
            if policy.verifier is not None:
                find_verifier(policy.verifier)
        except ValidationError as error:
            raise LoadError(f"STEINER_REASONING: {refusal(error.errors()).message}") from error
        except (PolicyError, UnknownVerifierError) as error:
            raise LoadError(f"STEINER_REASONING: {error}") from error
        return policy

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
        assignment = await self._assignment(request, loaded, generation_id)
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

    async def _assignment(
        self, request: GenerationRequest, loaded: LoadedModel, generation_id: str
    ) -> Assignment:
        policy = resolve_policy(request, self._default_policy, loaded.bound.protocol)
        verifier = resolve_verifier(policy)
        answer_format = await resolve_answer_format(request)
        try:
            prompt_ids = await loaded.encoder.encode(turns_of(request.messages), tools_of(request.tools))
        except PromptError as error:
            raise InvalidRequest(
                str(error), param=request.field_names.messages, code="invalid_value"
            ) from error
        return Assignment(
            id=generation_id,
            model=self.settings.model_id,
            prompt_ids=tuple(prompt_ids),
            policy=policy,
            sampling=resolve_sampling(request, loaded.engine.default_sampling),
            max_tokens=resolve_max_tokens(
                request,
                len(prompt_ids),
                loaded.engine.max_model_len,
                loaded.engine.default_sampling.get("max_tokens"),
                self.settings.max_memory_tokens if policy.memory else None,
            ),
            problem=problem_of(request.messages),
            verifier=verifier,
            answer_format=answer_format,
            stop=resolve_stop(request, loaded.bound),
            num_logprobs=request.num_logprobs,
            answer_bias=resolve_answer_bias(request, loaded.bound),
            trace_headers=current_request().trace_headers,
        )
