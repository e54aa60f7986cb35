"""Loading the model that is served: its tokenizer, its protocol and the engine.

Loading blocks and cannot be interrupted, so it runs outside the event loop, in a thread that nobody waits for at exit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from jinja2.exceptions import TemplateError
from pydantic import ValidationError

from steiner.reasoning.errors import MissingTokenError, PolicyError, SteinerError, UnknownVerifierError
from steiner.reasoning.grammar.certain_tokens import marks_of
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol, Protocol, TokenizerLike
from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
from steiner.reasoning.protocols.outline import OUTLINE
from steiner.reasoning.verifiers import find_verifier
from steiner.server.engine.token_spelling import TokenSpelling
from steiner.server.engine.vllm_engine import EngineStartError, VllmEngine
from steiner.server.http.refusals import refusal
from steiner.server.intake.loaded_model import LoadedModel
from steiner.server.intake.prompts import PromptEncoder
from steiner.server.intake.protocol_prompt import ProtocolPrompt
from steiner.server.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

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
        prompt = protocol_prompt_of(settings, bound.protocol)
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
        prompt,
    )


def chosen_protocol(settings: Settings, tokenizer: TokenizerLike) -> tuple[Protocol, str]:
    """The protocol to serve with, and why it is that one."""
    if settings.protocol is not None:
        return PROTOCOLS[settings.protocol], "the settings name it"
    try:
        return detect_protocol(tokenizer), "the tokenizer has its markers as tokens"
    except MissingTokenError:
        return OUTLINE, "the tokenizer has the markers of no other protocol, so they are text"


def end_of_turn_of(tokenizer: PreTrainedTokenizerFast) -> str | None:
    """The special token that the chat template puts right behind what the assistant said; None where it puts none.

    Gemma ends a turn with `<end_of_turn>` and Llama 3 with `<|eot_id|>`, whatever their end of sequence is.
    """
    said = "what the assistant said"
    turns = [{"role": "user", "content": "a question"}, {"role": "assistant", "content": said}]
    try:
        _, found, behind = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(said)
    except (TemplateError, TypeError):
        # A template may ask for other turns than these. The tokenizer's end of sequence then has to do.
        return None
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    begun = [token for token in special if behind.lstrip().startswith(token)]
    return max(begun, key=len) if found and begun else None


def protocol_prompt_of(settings: Settings, protocol: Protocol) -> ProtocolPrompt | None:
    """What the model is told; None where its markers are tokens that it was trained with.

    Raises:
        LoadError: the file cannot be read, or could have no effect.
    """
    path = settings.protocol_prompt
    if not protocol.is_text:
        if path is not None:
            raise LoadError(
                f"STEINER_PROTOCOL_PROMPT has no effect with protocol {protocol.name!r}, for which models are trained; "
                "leave it out, or set STEINER_PROTOCOL to outline"
            )
        return None
    try:
        return ProtocolPrompt.of(protocol, path)
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"STEINER_PROTOCOL_PROMPT: {path} cannot be read: {error}") from error


def load_protocol(settings: Settings) -> tuple[PreTrainedTokenizerFast, BoundProtocol]:
    """The tokenizer, and the protocol in its ids: the one that is asked for, else the one whose tokens it has.

    Raises:
        LoadError: there is no tokenizer to use, or it lacks the tokens.
    """
    try:
        tokenizer = load_tokenizer(settings.model, trust_remote_code=settings.trust_remote_code)
        protocol, reason = chosen_protocol(settings, tokenizer)
        logger.info("protocol %s: %s", protocol.name, reason)
        if protocol.is_text:
            protocol = replace(protocol, end_of_turn=end_of_turn_of(tokenizer))
        return tokenizer, protocol.bind(tokenizer, TokenSpelling(tokenizer, ()).bytes_of)
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
