"""From a request to its generations: it is let in, resolved to an assignment, and begun once for each choice."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from steiner.reasoning.policy import Policy
from steiner.server.access.admission import Place
from steiner.server.access.keys import Caller
from steiner.server.conductor.assignment import Assignment
from steiner.server.conductor.requests import choices_of
from steiner.server.generations.generation import Generation
from steiner.server.generations.readable import Endpoint
from steiner.server.generations.registry import Generations
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.request import GenerationRequest
from steiner.server.intake.resolution import assignment_of
from steiner.server.model.entrance import Entrance
from steiner.server.model.metrics import Metrics, observer_of
from steiner.server.settings import Settings

ID_PREFIX: dict[Endpoint, str] = {"chat": "chatcmpl-", "reasoning": "rsn_", "responses": "resp_"}


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Begins generations on one model.

    Attributes:
        default_policy: of requests that say nothing.
        on_engine_dead: called when a generation finds the engine gone.
    """

    settings: Settings
    metrics: Metrics
    entrance: Entrance
    generations: Generations
    loaded: LoadedModel
    default_policy: Policy
    on_engine_dead: Callable[[], None]

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
        num_choices = await self.entrance.take_request(request, caller)
        id_ = ID_PREFIX[endpoint] + (id_suffix or uuid.uuid4().hex)
        assignment = await assignment_of(request, self.loaded, self.settings, self.default_policy, id_)
        await self.entrance.take_prompt(request, caller, len(assignment.prompt_ids))
        generations = []
        with contextlib.ExitStack() as undo:
            places = self.entrance.admission.enter(caller, num_choices)
            for place in places:
                undo.callback(place.release)
            for choice, place in zip(choices_of(assignment, num_choices), places, strict=True):
                generation = self._generation(choice, endpoint, place, record or {})
                await self.generations.start(generation, retain=retain)
                undo.callback(generation.cancel)
                generations.append(generation)
            undo.pop_all()
        await self.generations.until_shared(generations)
        return generations

    def _generation(
        self, choice: Assignment, endpoint: Endpoint, place: Place, record: dict[str, Any]
    ) -> Generation:
        conductor = self.loaded.conductor(choice)
        spend = self.entrance.rates.spender(place.caller)
        return Generation(
            conductor,
            owner=place.caller.name,
            endpoint=endpoint,
            request=record,
            place=place,
            max_buffer_bytes=self.settings.max_stream_bytes,
            timeout_s=self.settings.generation_timeout_s,
            observe=observer_of(self.metrics, conductor, endpoint, spend),
            on_engine_dead=self.on_engine_dead,
        )
