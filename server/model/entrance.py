"""What a request must pass before anything is generated: the phase, the queue, its caller's rates."""

from __future__ import annotations

from collections.abc import Callable

from steiner.server.access.admission import Admission
from steiner.server.access.keys import Caller, Quotas
from steiner.server.access.rates import Kind, Rates
from steiner.server.errors import UnknownResource
from steiner.server.http.request_context import current_request
from steiner.server.intake.limits import check_prompt, resolve_num_choices
from steiner.server.intake.request import GenerationRequest
from steiner.server.model.lifecycle import Lifecycle
from steiner.server.settings import Settings


class Entrance:
    """Lets requests in, one check behind the other, the cheap ones first.

    Args:
        settings: of the deployment.
        lifecycle: whether new generations may start.
        on_wait: told how long each generation has waited for its turn, in seconds.
    """

    def __init__(self, settings: Settings, lifecycle: Lifecycle, on_wait: Callable[[float], None]) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        quotas = Quotas(settings.default_limits, settings.api_keys)
        self.rates = Rates(quotas, settings.store_redis_url)
        self.admission = Admission(
            max_running=settings.num_places,
            max_queued=settings.max_queued,
            max_wait_s=settings.queue_timeout_s,
            max_concurrent=quotas.max_concurrent,
            on_wait=on_wait,
        )

    async def take_request(self, request: GenerationRequest, caller: Caller) -> int:
        """Count a request against its caller's rate.

        Returns:
            How many generations it asks for.

        Raises:
            ApiError: it is refused, or the server is not ready.
        """
        self._lifecycle.require_ready()
        if request.model is not None and request.model != self._settings.model_id:
            raise UnknownResource(
                f"no model {request.model[:80]!r}; this server has {self._settings.model_id!r}",
                param="model",
                code="model_not_found",
            )
        num_choices = resolve_num_choices(request, self._settings.max_choices)
        self.admission.check(caller, num_choices)
        await self._take(caller, "requests", 1)
        return num_choices

    async def take_prompt(self, request: GenerationRequest, caller: Caller, num_prompt: int) -> None:
        """Count the tokens of its prompt.

        Raises:
            ApiError: it is refused, or the server is no longer ready.
        """
        check_prompt(request, num_prompt, self._settings.max_prompt_tokens)
        await self._take(caller, "tokens", num_prompt, request.field_names.messages)
        # Encoding a long prompt takes a while, in which the server may have begun to drain.
        self._lifecycle.require_ready()

    async def _take(self, caller: Caller, kind: Kind, cost: int, param: str | None = None) -> None:
        current_request().response_headers |= await self.rates.take(caller, kind, cost, param)
