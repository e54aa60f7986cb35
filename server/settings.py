"""Settings of the server: environment variables ``STEINER_*``, flags of ``steiner serve``, or arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import ReasoningEffort
from steiner.server.access.keys import ApiKey, Limits, check_keys

LogFormat = Literal["text", "json"]

# What vLLM decodes at once by default.
DEFAULT_MAX_RUNNING = 256
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
SHORTEST_SECRET = 32
DEFAULT_MODEL = "models/steiner-tiny"


def default_model() -> str:
    """The shipped weights: under the working directory, else in the checkout this file belongs to."""
    in_checkout = Path(__file__).resolve().parents[1] / DEFAULT_MODEL
    if not Path(DEFAULT_MODEL).is_dir() and in_checkout.is_dir():
        return str(in_checkout)
    return DEFAULT_MODEL


class Settings(BaseSettings):
    """Everything a deployment can choose. Times are in seconds, sizes in bytes unless the name says more."""

    model_config = SettingsConfigDict(env_prefix="STEINER_", extra="forbid", protected_namespaces=())

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    root_path: str = Field("", description="Path under which a proxy offers the server, such as /steiner.")
    ssl_keyfile: str | None = Field(None, description="Private key of the TLS certificate (PEM).")
    ssl_certfile: str | None = Field(
        None, description="TLS certificate (PEM); with it the server speaks HTTPS."
    )
    ssl_ca_certs: str | None = Field(
        None, description="Authorities of client certificates (PEM); with it every client needs one."
    )
    allowed_origins: list[str] = Field(
        default_factory=list, description="Web origins whose scripts may call the server (CORS); none: off."
    )
    allowed_methods: list[str] = Field(
        ["GET", "POST", "DELETE"], description="HTTP methods of those scripts."
    )
    allowed_headers: list[str] = Field(
        ["Authorization", "Content-Type", "Last-Event-ID", "X-Request-Id"],
        description="Request headers of those scripts.",
    )
    allow_credentials: bool = Field(False, description="Whether those scripts may send cookies.")
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        "info", description="Least level of a line that is written."
    )
    log_format: LogFormat = Field("text", description="Lines for people, or one JSON object each.")
    view: bool = Field(True, description="Whether /view, the live view in a browser, is served.")
    otlp_traces_endpoint: str | None = Field(
        None, description="OpenTelemetry collector that gets a span for each request; default: none."
    )

    model: str = Field(default_factory=default_model, description="Checkpoint folder or Hugging Face name.")
    served_model_name: str | None = Field(None, description="Model name of the API; default: last path part.")
    max_model_len: int | None = Field(
        None, ge=16, description="Longest context in tokens; default: the model's."
    )
    trust_remote_code: bool = Field(False, description="Run Python code that comes with the checkpoint.")
    protocol: Literal["steiner", "steiner-preview", "think", "outline"] | None = Field(
        None,
        description="Reasoning protocol; default: the one whose tokens the tokenizer has, else outline, whose "
        "markers are text.",
    )
    protocol_prompt: Path | None = Field(
        None,
        description="File with what the model is told of outline; default: ours, in the caller's language.",
    )
    dtype: str = Field("auto", description="auto: the checkpoint's on a GPU, float32 on a CPU.")
    seed: int = Field(0, description="Of sampling, where a request names none.")
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share each layer.")
    pipeline_parallel_size: int = Field(1, ge=1, description="Groups of GPUs that share the layers.")
    data_parallel_size: int = Field(1, ge=1, description="Copies of the model.")
    nnodes: int = Field(1, ge=1, description="Machines that share one model.")
    node_rank: int = Field(
        0, ge=0, description="This machine's number among them; 0 serves, the others are headless."
    )
    master_addr: str = Field("127.0.0.1", description="Address of machine 0, as the others reach it.")
    master_port: int = Field(29501, ge=1, le=65535, description="Port of machine 0 where they meet.")
    headless: bool = Field(False, description="Compute for machine 0, and serve nothing here.")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1, description="Share of GPU memory to use.")
    max_num_seqs: int | None = Field(None, ge=1, description="Sequences the engine decodes at once.")
    quantization: str | None = Field(None, description="Method; default: the checkpoint's.")
    enforce_eager: bool | None = Field(None, description="Default: true on a CPU, false on a GPU.")
    block_size: int | None = Field(None, ge=1, description="KV block in tokens; default on a CPU: 32.")
    cpu_kv_cache_gib: int = Field(1, ge=1, description="KV cache on a CPU.")
    speculation: Literal["auto", "protocol", "ngram", "off"] = Field(
        "auto",
        description="Drafts that the engine checks many at a time: protocol (markers and copies), vLLM's ngram, or "
        "off; auto: protocol unless something speaks against it.",
    )
    engine_args: dict[str, Any] = Field(
        default_factory=dict, description="Any other vLLM AsyncEngineArgs, as a JSON object."
    )

    reasoning_effort: ReasoningEffort = Field("medium", description="Used where a request names no effort.")
    reasoning: ReasoningOptions = Field(
        ReasoningOptions(), description="Limits and rules of reasoning where a request has none of its own."
    )
    max_memory_tokens: int = Field(
        65536, ge=1, description="Longest generation with memory, which the model's context does not bound."
    )

    api_key: Annotated[list[SecretStr], NoDecode] = Field(
        default_factory=list,
        description="Keys in clear, as vLLM takes them. Others on the machine can read a command line; "
        "prefer api_keys.",
    )
    api_keys: list[ApiKey] = Field(
        default_factory=list,
        description='Keys by name and hash, as `steiner key NAME` prints them: [{"name": ..., "sha256": ...}], '
        "each with limits of its own where it has any.",
    )
    reasoning_seal_key: Annotated[list[SecretStr], NoDecode] = Field(
        default_factory=list,
        description="Secret under which reasoning is sealed for clients that store nothing (encrypted_content); "
        "replicas need the same; of several, the first seals and each opens; default: a random one of each process.",
    )
    protect_metrics: bool = Field(False, description="Whether /metrics needs a key, too.")
    requests_per_minute: int = Field(0, ge=0, description="Of each caller; 0: no limit.")
    tokens_per_minute: int = Field(
        0, ge=0, description="Of each caller, of prompts and generated; 0: no limit."
    )
    max_concurrent: int = Field(
        0, ge=0, description="Generations of each caller, running and waiting; 0: no limit."
    )
    max_running: int | None = Field(
        None, ge=1, description="Generations that run at once; default: max_num_seqs, else 256."
    )
    max_queued: int = Field(1024, ge=0, description="Generations that wait for their turn at most.")
    queue_timeout_s: float = Field(600.0, gt=0, description="Longest wait for a turn.")

    max_choices: int = Field(16, ge=1, le=128, description="Largest n of a chat completion.")
    max_prompt_tokens: int | None = Field(
        None, ge=1, description="Longest prompt; default: what the model's context holds."
    )
    max_request_bytes: int = Field(4 << 20, ge=1024, description="Longest body of a request.")
    max_head_bytes: int = Field(
        64 << 10, ge=1024, description="Longest head of a request: its line and headers."
    )
    request_timeout_s: float = Field(
        30.0, gt=0, description="How long a client may take to send a request, head and body."
    )
    generation_timeout_s: float = Field(600.0, gt=0, description="Longest run of one generation.")
    keep_alive_s: float = Field(15.0, ge=0, description="Interval of comments on idle streams; 0: none.")
    drain_timeout_s: float = Field(120.0, ge=0, description="After SIGTERM, how long generations may finish.")
    send_timeout_s: float = Field(
        60.0, gt=0, description="How long a reader may take nothing before it is cut off; it can resume."
    )

    store: Literal["sqlite", "redis", "memory"] = Field(
        "sqlite",
        description="Where generations are kept: a file, a Redis that replicas share, or this process' memory.",
    )
    store_path: Path | None = Field(
        None, description="File of the store sqlite; default: steiner/ in the user's XDG state folder."
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Of the store redis, which then counts rates, too; rediss:// for TLS; default: "
        "redis://127.0.0.1:6379/0. It may hold a password, so prefer the variable or the file.",
    )
    retention_s: float = Field(86400.0, ge=0, description="How long a finished generation can be read.")
    max_retained: int = Field(10_000, ge=0, description="Finished generations kept at most.")
    max_retained_bytes: int = Field(1 << 30, ge=0, description="Their events and traces, compressed.")
    max_stream_bytes: int = Field(
        8 << 20,
        ge=65536,
        description="Memory for the events of one generation that are not in the store yet.",
    )
    max_unsaved_bytes: int = Field(256 << 20, ge=65536, description="The same for all generations together.")

    @field_validator("api_key", "reasoning_seal_key", mode="before")
    @classmethod
    def _one_key_is_a_list(cls, keys: object) -> object:
        """Keys in clear may come without brackets, separated by commas."""
        if not isinstance(keys, str):
            return keys
        return json.loads(keys) if keys.startswith("[") else keys.split(",")

    @field_validator("reasoning_seal_key")
    @classmethod
    def _secrets_cannot_be_guessed(cls, secret_texts: list[SecretStr]) -> list[SecretStr]:
        # The message does not repeat what was given, which is secret.
        if any(len(text.get_secret_value()) < SHORTEST_SECRET for text in secret_texts):
            raise ValueError(
                f"each reasoning_seal_key needs {SHORTEST_SECRET} characters at least, from a random source such as "
                "openssl rand -base64 48"
            )
        return secret_texts

    @field_validator("root_path")
    @classmethod
    def _root_path_is_a_path(cls, path: str) -> str:
        if path and not path.startswith("/"):
            raise ValueError(f"root_path must begin with /, such as /steiner; given {path!r}")
        return path.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _redis_is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        # The message does not repeat what was given, which may hold a password.
        if url is None:
            return None
        if not url.get_secret_value().startswith(REDIS_SCHEMES):
            raise ValueError(f"redis_url must begin with one of {', '.join(REDIS_SCHEMES)}")
        try:
            _ = urlsplit(url.get_secret_value()).port
        except ValueError:
            raise ValueError(
                "redis_url has no number as its port; in a password, /, @, # and ? are written %2F, %40, %23, %3F"
            ) from None
        # Imported here, so that servers that do not use it need not have the package.
        from redis.asyncio import ConnectionPool

        try:
            # Created but not connected, because redis-py only checks options when a client is created.
            ConnectionPool.from_url(url.get_secret_value()).make_connection()  # type: ignore[no-untyped-call]
        except (TypeError, ValueError):
            raise ValueError(
                "redis_url is refused by redis-py: an option after its question mark is unknown or has an impossible "
                "value"
            ) from None
        return url

    @field_validator("model")
    @classmethod
    def _model_is_named(cls, model: str) -> str:
        if not model.strip():
            raise ValueError("model is empty; give a checkpoint folder or a Hugging Face model name")
        return model

    @model_validator(mode="after")
    def _tls_has_a_certificate(self) -> Self:
        for name in ("ssl_keyfile", "ssl_ca_certs"):
            if getattr(self, name) is not None and self.ssl_certfile is None:
                raise ValueError(
                    f"{name} needs ssl_certfile: without a certificate the server speaks plain HTTP"
                )
        return self

    @model_validator(mode="after")
    def _machines_agree(self) -> Self:
        if self.node_rank >= self.nnodes:
            raise ValueError(
                f"node_rank must be below nnodes ({self.nnodes}), counted from 0; given {self.node_rank}"
            )
        if self.headless != (self.node_rank > 0):
            raise ValueError(
                f"machine 0 serves and every other one is headless; given node_rank {self.node_rank} "
                f"with headless {str(self.headless).lower()}"
            )
        return self

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        check_keys(self.api_keys)
        return self

    @property
    def num_places(self) -> int:
        """Generations that run at once."""
        return self.max_running or self.max_num_seqs or DEFAULT_MAX_RUNNING

    @property
    def default_limits(self) -> Limits:
        """What a caller may use if its key sets no limits."""
        return Limits(
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            max_concurrent=self.max_concurrent,
        )

    @property
    def store_redis_url(self) -> str | None:
        """URL, in clear, of the Redis that keeps generations and counts rates for replicas; None for other stores."""
        if self.store != "redis":
            return None
        return self.redis_url.get_secret_value() if self.redis_url else DEFAULT_REDIS_URL

    @property
    def model_id(self) -> str:
        """The name under which the API serves the model."""
        return self.served_model_name or Path(self.model.rstrip("/")).name
