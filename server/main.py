"""Running the server as a process: load in the background, serve, drain on SIGTERM, exit.

Exit codes: 0 after SIGTERM or SIGINT, once everything has ended or the deadline has passed; 1 if the model does not
load, the engine dies or the address is taken; 2 for invalid settings; 128 plus the signal's number if a second
signal cut the wait short. A headless machine ends with 0 on SIGTERM or SIGINT, and with 1 if it lost machine 0 or
its own ranks.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import logging.config
import os
import signal
import sys
import threading

from steiner.reasoning.grammar.certain_tokens import marks_of
from steiner.server.app import create_app
from steiner.server.engine.headless import watch_leader
from steiner.server.http.listener import DrainingServer, ListenerError, listener
from steiner.server.http.log_lines import log_config
from steiner.server.http.tracing import TracingError, otlp_exporter, tracer_provider
from steiner.server.model.loading import LoadError, load_protocol
from steiner.server.model.service import Service
from steiner.server.settings import Settings

#: New objects before the youngest are collected. Python's 700 are a few tokens of each stream, and most of them are
#: alive, so a tenth of a stream's time went there. The price is a few MiB of cycles that wait longer.
YOUNG_OBJECTS = 20_000

logger = logging.getLogger(__name__)


def settle_heap() -> None:
    """Call this once everything is loaded. The modules of an engine are a large heap that never changes. Every full
    collection would walk it, which costs a stream a fifth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


class Process:
    """The parts of a running server, and the exit code they end with.

    Args:
        service: for these settings; by default one that loads a model with vLLM.
    """

    def __init__(self, settings: Settings, service: Service | None = None) -> None:
        self._settings = settings
        self._service = service or Service(settings)
        endpoint = settings.otlp_traces_endpoint
        self._spans = None if endpoint is None else tracer_provider(otlp_exporter(endpoint))
        self.config = listener(
            create_app(self._service, self._spans),
            settings,
            log_config(settings.log_level, settings.log_format),
        )
        self._server = DrainingServer(self.config, self._on_signal)
        self._drain: asyncio.Task[None] | None = None
        self._exit_code = 0

    async def run(self) -> int:
        """Serve until told to stop; returns the exit code."""
        tasks = [asyncio.create_task(self._load()), asyncio.create_task(self._watch_engine())]
        try:
            await self._server.serve()
        finally:
            for task in tasks:
                task.cancel()
            await self._service.close()
            if self._spans is not None:
                # Sends what is left, which takes a few seconds at most.
                await asyncio.to_thread(self._spans.shutdown)
        return self._exit_code

    async def _load(self) -> None:
        try:
            await self._service.load()
        except LoadError as error:
            logger.error("%s", error)
            self._exit_code = 1
            self._server.should_exit = True
        else:
            settle_heap()
            logger.info("%s is ready", self._settings.model_id)

    async def _watch_engine(self) -> None:
        await self._service.lifecycle.failed.wait()
        logger.error("the engine has stopped; exiting so that a supervisor can restart the server")
        self._exit_code = 1
        self._server.should_exit = True

    def _on_signal(self, number: int) -> None:
        if self._drain is not None:
            # As a shell reports a process that a signal ended.
            self._exit_code = 128 + number
            self._server.should_exit = self._server.force_exit = True
            return
        self._service.drain()
        self._drain = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        generations = self._service.generations
        timeout_s = self._settings.drain_timeout_s
        logger.info("draining: %d running, %g s at most", generations.num_running, timeout_s)
        num_cancelled = await generations.drain(timeout_s)
        if num_cancelled:
            logger.warning("cancelled %d generations that had not finished", num_cancelled)
        self._server.should_exit = True


def serve(settings: Settings) -> int:
    """Run the server in this process until it is told to stop; returns the exit code.

    A headless machine serves nothing: it computes for machine 0 until that ends. The engine starts processes by
    spawning: a script that calls this needs the usual ``if __name__ == "__main__"`` guard.
    """
    if settings.headless:
        return _compute_for_another(settings)
    try:
        process = Process(settings)
    except (TracingError, ListenerError) as error:
        print(error, file=sys.stderr)
        return 2
    with asyncio.Runner(loop_factory=process.config.get_loop_factory()) as runner:
        return runner.run(process.run())


def _compute_for_another(settings: Settings) -> int:
    """Exit code of a headless machine. It should end when told to; losing its ranks or machine 0 is a failure."""
    from steiner.server.engine.headless import follow
    from steiner.server.engine.vllm_engine import EngineStartError

    logging.config.dictConfig(log_config(settings.log_level, settings.log_format))
    has_lost_leader = threading.Event()

    def end() -> None:
        has_lost_leader.set()
        os.kill(os.getpid(), signal.SIGTERM)

    watch_leader(settings.master_addr, settings.master_port, end)
    try:
        _tokenizer, bound = load_protocol(settings)
        follow(settings, marks_of(bound))
    except (EngineStartError, LoadError) as error:
        logger.error("%s", error)
    except SystemExit:
        # vLLM's answer to a signal.
        return 1 if has_lost_leader.is_set() else 0
    else:
        logger.error("the ranks of machine %d have ended", settings.node_rank)
    return 1
