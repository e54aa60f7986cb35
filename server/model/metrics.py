"""Prometheus metrics `steiner_*`, in the registry that vLLM's `vllm:*` live in, so one page shows both.

No name may start with `vllm:`: vLLM's logger unregisters every collector that does. No label carries a
value that a caller chooses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from steiner.reasoning.events import Event
from steiner.reasoning.progress import Progress
from steiner.server.conductor.conductor import Conductor
from steiner.server.generations.readable import Endpoint
from steiner.server.http.request_context import Account, current_request

# From one token to an hour of reasoning.
SECONDS = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0),
)

STORE_OPERATIONS = ("put", "get", "read", "delete", "stop", "beat", "expire", "record")
"""Operations of a store that can fail; `record` is saving itself."""


class Metrics:
    """The collectors; one per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"steiner_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"steiner_{name}", text, registry=registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"steiner_{name}", text, buckets=SECONDS, registry=registry)

        self.steps = counter("reasoning_steps", "Steps that ended, by the verdict they carry.", "verdict")
        self.backtracks = counter("backtracks", "Backtracks taken.")
        self.interventions = counter("interventions", "Cuts made by the server, by kind.", "kind")
        self.violations = counter("violations", "Places where a model broke the protocol.")
        self.reasoning_tokens = counter(
            "reasoning_tokens", "Tokens of reasoning, by who wrote them.", "origin"
        )
        self.answer_tokens = counter("answer_tokens", "Tokens of answers.")
        self.generations = counter("generations", "Generations that ended.", "endpoint", "outcome")
        self.active = gauge("generations_active", "Generations running on the engine.")
        self.queued = gauge("generations_queued", "Generations waiting for their turn.")
        self.tasks = gauge("event_loop_tasks", "Tasks of the server's event loop; level when it is idle.")
        self.refused = counter("requests_refused", "Requests answered with an error, by reason.", "reason")
        self.queue_wait = histogram("queue_wait_seconds", "From the request's admission to its turn.")
        self.store_errors = counter(
            "store_errors", "Operations of the store that failed, by their name.", "operation"
        )
        for operation in STORE_OPERATIONS:
            # Begin at 0, so that a rate sees the first error as an increase.
            self.store_errors.labels(operation)
        self.time_to_first_step = histogram(
            "time_to_first_step_seconds", "From the request to the end of its first step."
        )
        self.time_to_first_answer_token = histogram(
            "time_to_first_answer_token_seconds", "From the request to the first text of its answer."
        )
        self.step_duration = histogram("step_duration_seconds", "From the start of a step to its end.")
        self.generation_duration = histogram("generation_duration_seconds", "From the request to its end.")
        self.read_draft_counts: Callable[[], Mapping[str, int] | None] = lambda: None
        registry.register(_Speculation(lambda: self.read_draft_counts()))


class _Speculation(Collector):
    """What the engine counts of its speculation, read when the page is written."""

    def __init__(self, read: Callable[[], Mapping[str, int] | None]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The families; without a series where nothing is counted."""
        counts = self._read()
        for event, text in (
            ("drafted", "Tokens that speculation drafted, by their origin."),
            ("accepted", "Drafted tokens that were accepted, by their origin."),
        ):
            family = CounterMetricFamily(f"steiner_{event}_tokens", text, labels=["origin"])
            for origin, column in (("marker", "markers"), ("copy", "copies")):
                if counts is not None:
                    family.add_metric([origin], counts[f"{event}_{column}"])
            yield family
        for name, column, text in (
            ("decode_steps", "steps", "Decode steps, counted for each request."),
            ("decoded_tokens", "tokens", "Tokens of those steps: one each, and those accepted."),
        ):
            value = None if counts is None else counts[column]
            yield CounterMetricFamily(f"steiner_{name}", text, value=value)


class GenerationMeter:
    """Follows one generation's events and counts each thing once, however it ends.

    Args:
        began_s: when its request came, by the clock, so that waits include the queue; None for now.
    """

    def __init__(
        self,
        metrics: Metrics,
        endpoint: Endpoint,
        progress: Progress,
        began_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._progress = progress
        self._endpoint = endpoint
        self._clock = clock
        self._began = clock() if began_s is None else began_s
        self._step_began = self._began
        self._num_steps = 0
        self._answering = False

    def observe(self, events: Sequence[Event]) -> None:
        """Count a batch of events, in order."""
        for event in events:
            # By far the most frequent kind, with nothing to count.
            if event.type != "section.delta":
                self._count(event)

    def _count(self, event: Event) -> None:
        metrics = self._metrics
        match event.type:
            case "step.started":
                self._step_began = self._clock()
            case "step.done":
                now = self._clock()
                metrics.steps.labels(event.verdict or "none").inc()
                metrics.step_duration.observe(now - self._step_began)
                if not self._num_steps:
                    metrics.time_to_first_step.observe(now - self._began)
                self._num_steps += 1
            case "backtracked":
                metrics.backtracks.inc()
            case "intervention":
                metrics.interventions.labels(event.kind).inc()
            case "violation":
                metrics.violations.inc()
            case "answer.delta" | "tool_call.started" if not self._answering:
                self._answering = True
                metrics.time_to_first_answer_token.observe(self._clock() - self._began)
            case "usage":
                num_forced = self._progress.num_forced
                metrics.reasoning_tokens.labels("forced").inc(num_forced)
                metrics.reasoning_tokens.labels("sampled").inc(event.reasoning_tokens - num_forced)
                metrics.answer_tokens.inc(event.answer_tokens)
            case "done" | "error" | "cancelled":
                metrics.generations.labels(self._endpoint, event.type).inc()
                metrics.generation_duration.observe(self._clock() - self._began)


def observer_of(
    metrics: Metrics, conductor: Conductor, endpoint: Endpoint, spend: Callable[[int, bool], None]
) -> Callable[[Sequence[Event]], None]:
    """What counts a generation's events: metrics, its caller's rate, its request's log line."""
    request, assignment = current_request(), conductor.assignment
    meter = GenerationMeter(metrics, endpoint, conductor.progress, request.arrived_s)
    account = Account(assignment.id, len(assignment.prompt_ids), conductor.progress, spend)
    request.accounts.append(account)

    def observe(events: Sequence[Event]) -> None:
        meter.observe(events)
        account.observe(events)

    return observe
