"""Which speculation the engine gets, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from steiner.reasoning.grammar.certain_tokens import Mark
from steiner.server.engine.speculation.draft_counts import SharedCounts
from steiner.server.engine.speculation.marks import CONFIG_KEY, plain_marks
from steiner.server.settings import Settings

Mode = Literal["protocol", "ngram", "off", "own"]
FOLDER = "steiner.server.engine.speculation"
WORKER = {"worker_extension_cls": f"{FOLDER}.worker.SpeculatingWorker"}
MAX_DRAFT = 8
NGRAM = {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 1, "prompt_lookup_max": 3}


@dataclass(frozen=True, slots=True)
class Speculation:
    """What was chosen.

    Attributes:
        reason: why, for the log.
        arguments: vLLM's engine arguments for it.
        counts: the drafter's; None without our drafter.
    """

    mode: Mode
    reason: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    counts: SharedCounts | None = None


WITHOUT = Speculation("off", "asked for")


def choose_speculation(settings: Settings, marks: Sequence[Mark], *, on_cpu: bool) -> Speculation:
    """What `--speculation` asks for; with `auto`, our drafter unless something speaks against it.

    Args:
        marks: of the served protocol.
    """
    if "speculative_config" in settings.engine_args:
        return Speculation("own", "engine_args has a speculative_config of its own")
    match settings.speculation:
        case "off":
            return WITHOUT
        case "ngram":
            return Speculation("ngram", "asked for", {"speculative_config": NGRAM} | WORKER)
        case "protocol":
            return _ours("asked for", settings, marks, on_cpu=on_cpu)
    against = _against(settings, marks, on_cpu=on_cpu)
    if against is not None:
        return Speculation("off", against)
    return _ours("drafts are checked many at a time", settings, marks, on_cpu=on_cpu)


def _against(settings: Settings, marks: Sequence[Mark], *, on_cpu: bool) -> str | None:
    """What makes `auto` leave it off."""
    for name in ("worker_extension_cls", "logits_processors", "async_scheduling"):
        if settings.engine_args.get(name):
            return f"engine_args has {name}, which does not go with it"
    if settings.pipeline_parallel_size > 1:
        return "it is not tried with pipeline parallelism"
    if not on_cpu and not any(any(mark.certain) for mark in marks):
        return "the protocol forces no token, and on a GPU it would cost vLLM's asynchronous scheduling"
    return None


def _ours(reason: str, settings: Settings, marks: Sequence[Mark], *, on_cpu: bool) -> Speculation:
    counts = SharedCounts(settings.data_parallel_size)
    own = {"marks": plain_marks(marks), "on_cpu": on_cpu, "counts": counts.path}
    arguments: dict[str, Any] = {
        "speculative_config": {
            "method": "custom_class",
            "model": f"{FOLDER}.drafter.ProtocolDrafter",
            "num_speculative_tokens": MAX_DRAFT,
        },
        **WORKER,
        "additional_config": {CONFIG_KEY: own},
    }
    return Speculation("protocol", reason, arguments, counts)
