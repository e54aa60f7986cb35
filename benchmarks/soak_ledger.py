"""What the clients of a soak saw, to be compared with what the server says of itself."""

from collections import Counter
from dataclasses import dataclass, field

import httpx
from processes import children, num_open_files, resident_mib
from prometheus_client.parser import text_string_to_metric_families

#: Tokens of a completion that are neither reasoning nor answer: its start, its end, the end of the turn.
MARKERS = 3
#: Under one of these names an engine says how many requests it has; vLLM, and scripted_server.py.
ENGINE_REQUESTS = ("vllm:num_requests_running", "vllm:num_requests_waiting", "scripted_engine_requests")


class Broken(Exception):
    """The server did not keep what it promises; the message says what and where."""


@dataclass(slots=True)
class Ledger:
    """Counts over all clients.

    Attributes:
        started: generations that began, by endpoint.
        uncertain: requests of clients that left before they heard whether one began.
        outcomes: endings that a client saw, by endpoint and outcome.
        reasoning_tokens: of usage that was seen; `other_tokens` is the rest of those completions.
        unseen_tokens: what the generations may have made of which no usage was seen.
        num_seen: generations whose usage was seen.
        scenarios: how often each was played.
        refusals: answers to bad requests, by status.
        broken: what was wrong.
    """

    started: Counter[str] = field(default_factory=Counter)
    uncertain: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    scenarios: Counter[str] = field(default_factory=Counter)
    refusals: Counter[int] = field(default_factory=Counter)
    reasoning_tokens: int = 0
    other_tokens: int = 0
    unseen_tokens: int = 0
    num_seen: int = 0
    broken: list[str] = field(default_factory=list)

    def ended(self, endpoint: str, outcome: str, completion_tokens: int, reasoning_tokens: int) -> None:
        """A client saw a generation's end and its usage."""
        self.outcomes[endpoint, outcome] += 1
        self.num_seen += 1
        self.reasoning_tokens += reasoning_tokens
        self.other_tokens += completion_tokens - reasoning_tokens

    def check_counts(self, before: "Sample", after: "Sample") -> list[str]:
        """What the server counted between two quiet moments, against this; a sentence for each contradiction."""
        wrong = []
        for endpoint in sorted({*self.started, *after.outcomes_of()}):
            counted = after.num_ended(endpoint) - before.num_ended(endpoint)
            least, most = self.started[endpoint], self.started[endpoint] + self.uncertain[endpoint]
            if not least <= counted <= most:
                wrong.append(f"{endpoint}: {counted} generations counted, {least} to {most} started")
        for (endpoint, outcome), seen in sorted(self.outcomes.items()):
            counted = after.generations[endpoint, outcome] - before.generations[endpoint, outcome]
            if counted < seen:
                wrong.append(f"{endpoint}: {counted} counted as {outcome}, {seen} seen")
        reasoning = after.reasoning_tokens - before.reasoning_tokens
        if not self.reasoning_tokens <= reasoning <= self.reasoning_tokens + self.unseen_tokens:
            wrong.append(f"{reasoning} reasoning tokens counted, usage has {self.reasoning_tokens}")
        answer = after.answer_tokens - before.answer_tokens
        least, most = self.other_tokens - MARKERS * self.num_seen, self.other_tokens + self.unseen_tokens
        if not least <= answer <= most:
            wrong.append(f"{answer} answer tokens counted, usage leaves {least} to {most}")
        wrong += after.faults_of_drafts()
        num_timed = after.num_durations - before.num_durations
        num_counted = after.num_ended() - before.num_ended()
        if num_timed != num_counted:
            wrong.append(f"{num_timed} durations for {num_counted} generations")
        return wrong


@dataclass(frozen=True, slots=True)
class Sample:
    """What a server says of itself, and the system of its process, at one moment.

    Attributes:
        busy: generations running and queued, and the engine's requests.
        generations: that ended, by endpoint and outcome.
        num_drafted: tokens that speculation drafted; `num_accepted` of them came.
        num_decode_steps: of requests; they made `num_decoded` tokens.
        num_tasks: of the event loop.
        num_files: open file descriptors.
        rss_mib: resident memory of the front end.
        engine_rss_mib: of its children together.
    """

    busy: int
    generations: Counter[tuple[str, str]]
    reasoning_tokens: int
    answer_tokens: int
    num_durations: int
    num_drafted: int
    num_accepted: int
    num_decode_steps: int
    num_decoded: int
    num_tasks: int
    num_files: int
    rss_mib: float
    engine_rss_mib: float

    def faults_of_drafts(self) -> list[str]:
        """What its counts of speculation contradict each other in: each step makes a token beside the accepted ones."""
        wrong = []
        if self.num_accepted > self.num_drafted:
            wrong.append(f"{self.num_accepted} tokens accepted of {self.num_drafted} drafted")
        if self.num_decoded != self.num_decode_steps + self.num_accepted:
            wrong.append(
                f"{self.num_decoded} tokens decoded in {self.num_decode_steps} steps, {self.num_accepted} accepted"
            )
        return wrong

    def outcomes_of(self) -> set[str]:
        """Endpoints that had any."""
        return {endpoint for endpoint, _ in self.generations}

    def num_ended(self, endpoint: str | None = None) -> int:
        """Generations that ended, in all or of one endpoint."""
        return sum(n for (of, _), n in self.generations.items() if endpoint in (None, of))


async def take_sample(url: str, pid: int) -> Sample:
    """Read /metrics and /proc. The connection for it is part of what it sees, each time alike."""
    async with httpx.AsyncClient(timeout=60) as client:
        page = (await client.get(f"{url}/metrics")).text
        num_files = num_open_files(pid)
    generations: Counter[tuple[str, str]] = Counter()
    values: Counter[str] = Counter()
    for family in text_string_to_metric_families(page):
        for one in family.samples:
            values[one.name] += int(one.value)
            if one.name == "steiner_generations_total":
                generations[one.labels["endpoint"], one.labels["outcome"]] += int(one.value)
    in_hand = sum(values[name] for name in ENGINE_REQUESTS)
    return Sample(
        busy=values["steiner_generations_active"] + values["steiner_generations_queued"] + in_hand,
        generations=generations,
        reasoning_tokens=values["steiner_reasoning_tokens_total"],
        answer_tokens=values["steiner_answer_tokens_total"],
        num_durations=values["steiner_generation_duration_seconds_count"],
        num_drafted=values["steiner_drafted_tokens_total"],
        num_accepted=values["steiner_accepted_tokens_total"],
        num_decode_steps=values["steiner_decode_steps_total"],
        num_decoded=values["steiner_decoded_tokens_total"],
        num_tasks=values["steiner_event_loop_tasks"],
        num_files=num_files,
        rss_mib=resident_mib(pid),
        engine_rss_mib=sum(map(resident_mib, children(pid))),
    )
