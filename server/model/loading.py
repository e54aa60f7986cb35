"""Loading the model that is served: its tokenizer, its protocol and the engine.

Loading blocks and cannot be interrupted, so it runs outside the event loop, in a thread that nobody waits for at exit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from steiner.reasoning.errors import PolicyError, SteinerError, UnknownVerifierError
from steiner.reasoning.grammar.certain_tokens import marks_of
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol, Protocol
from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
from steiner.reasoning.verifiers import find_verifier
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.engine.vllm_engine import EngineStartError, VllmEngine
from steiner.server.http.refusals import refusal
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

GENERIC_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")

Result = TypeVar("Result")


class LoadError(Exception):
    """The model cannot be served; the message says why and what to do."""


class TokenizerError(Exception):
    """The checkpoint's tokenizer cannot be used; the message says what it lacks."""


async def load_model(settings: Settings) -> LoadedModel:
    """Load tokenizer and weights.

    Raises:
        LoadError: they cannot be loaded, or the settings ask for something that the protocol cannot do.
    """
    try:
        tokenizer, bound = await in_daemon_thread(lambda: load_protocol(settings))
        # Settings that contradict each other should show before the weights are loaded.
        policy_of_settings(settings, bound.protocol)
        engine = await in_daemon_thread(lambda: VllmEngine.start(settings, marks_of(bound)))
        await engine.begin_speculation()
    except EngineStartError as error:
        raise LoadError(str(error)) from error
    return LoadedModel(
        engine,
        bound,
        PromptEncoder(tokenizer, bound.special_ids),
        section_texts(tokenizer.backend_tokenizer),
        TokenSpelling(tokenizer, bound.special_ids),
    )


def load_protocol(settings: Settings) -> tuple[PreTrainedTokenizerFast, BoundProtocol]:
    """The tokenizer, and the protocol in its ids: the one that is asked for, else the one whose tokens it has.

    Raises:
        LoadError: there is no tokenizer to use, or it lacks the tokens.
    """
    try:
        tokenizer = load_tokenizer(settings.model, trust_remote_code=settings.trust_remote_code)
        protocol = PROTOCOLS[settings.protocol] if settings.protocol else detect_protocol(tokenizer)
        return tokenizer, protocol.bind(tokenizer)
    except (TokenizerError, SteinerError) as error:
        raise LoadError(str(error)) from error


def policy_of_settings(settings: Settings, protocol: Protocol) -> Policy:
    """The deployment's own limits, for requests that say nothing.

    Raises:
        LoadError: they could have no effect under the protocol, contradict each other, or name an unknown verifier.
    """
    try:
        policy = settings.reasoning.resolve(settings.reasoning_effort, Policy(), protocol)
        if policy.verifier is not None:
            find_verifier(policy.verifier)
    except ValidationError as error:
        raise LoadError(f"STEINER_REASONING: {refusal(error.errors()).message}") from error
    except (PolicyError, UnknownVerifierError) as error:
        raise LoadError(f"STEINER_REASONING: {error}") from error
    vllms_own = settings.speculation == "ngram" or "speculative_config" in settings.engine_args
    if vllms_own and (policy.backtrack_bias or policy.end_bias):
        raise LoadError(
            "STEINER_REASONING: vLLM's own speculation cannot apply backtrack_bias and end_bias; "
            "serve with --speculation protocol or off, or without them"
        )
    return policy


def load_tokenizer(model: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a checkpoint folder or Hugging Face name.

    Raises:
        TokenizerError: there is none, it is not a fast one, or it has no chat template.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    try:
        # AutoTokenizer builds Qwen2's own tokenizer for every qwen2 checkpoint (transformers 5), also for
        # one that says to use its tokenizer.json as it is.
        generic = get_tokenizer_config(model).get("tokenizer_class") in GENERIC_CLASSES
        loader = PreTrainedTokenizerFast if generic else AutoTokenizer
        tokenizer: PreTrainedTokenizerFast = loader.from_pretrained(
            model, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise TokenizerError(f"no tokenizer can be loaded from {model!r}: {error}") from error
    if not tokenizer.is_fast:
        raise TokenizerError(f"{model!r} has a slow tokenizer; a tokenizer.json is needed")
    if not tokenizer.chat_template:
        raise TokenizerError(f"{model!r} has no chat template; add chat_template.jinja to the checkpoint")
    return tokenizer


async def in_daemon_thread(work: Callable[[], Result]) -> Result:
    """Run blocking work in a thread that does not keep the process alive: a load cannot be interrupted."""
    done: concurrent.futures.Future[Result] = concurrent.futures.Future()
    # If nobody waits any longer, the work runs on and its result is dropped.
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - a thread's border: the caller raises it again
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="steiner-load", daemon=True).start()
    return await asyncio.wrap_future(done)
