"""The parser of `steiner serve`: flags in groups, vLLM's spellings, and suggestions for unknown flags."""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

GROUPS: Mapping[str, tuple[str, ...]] = {
    "model": (
        "model", "served_model_name", "max_model_len", "trust_remote_code", "protocol", "protocol_prompt",
        "dtype", "quantization", "seed",
    ),
    "engine": (
        "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "nnodes", "node_rank",
        "master_addr", "master_port", "headless", "gpu_memory_utilization",
        "max_num_seqs", "enforce_eager", "block_size", "cpu_kv_cache_gib", "speculation", "engine_args",
    ),
    "reasoning": ("reasoning_effort", "reasoning", "max_memory_tokens", "max_choices"),
    "listening": (
        "host", "port", "root_path", "ssl_keyfile", "ssl_certfile", "ssl_ca_certs", "allowed_origins",
        "allowed_methods", "allowed_headers", "allow_credentials", "view",
    ),
    "access": (
        "api_key", "api_keys", "reasoning_seal_key", "protect_metrics", "requests_per_minute", "tokens_per_minute",
        "max_concurrent", "max_running", "max_queued", "queue_timeout_s",
    ),
    "requests": (
        "max_prompt_tokens", "max_request_bytes", "max_head_bytes", "request_timeout_s", "generation_timeout_s",
        "keep_alive_s", "send_timeout_s", "drain_timeout_s",
    ),
    "store": (
        "store", "store_path", "redis_url", "retention_s", "max_retained", "max_retained_bytes",
        "max_stream_bytes", "max_unsaved_bytes",
    ),
    "observation": ("log_level", "log_format", "otlp_traces_endpoint"),
}  # fmt: skip
"""Every setting, in the order in which `--help` and docs/operations.md have them."""

VLLM_SPELLINGS: Mapping[str, str] = {
    "--uvicorn-log-level": "--log-level",
    "--max-request-size": "--max-request-bytes",
}
OTHERS = "other settings"


def normalised(arguments: Sequence[str]) -> list[str]:
    """Flags in our spelling: with dashes, because vLLM allows underscores too, and with our names for vLLM's."""
    flags = []
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
            name = name.replace("_", "-")
            argument = VLLM_SPELLINGS.get(name, name) + equals + value
        flags.append(argument)
    return flags


class ServeParser(argparse.ArgumentParser):
    """Prints settings in their groups, and suggests flags."""

    def __init__(self) -> None:
        super().__init__(
            prog="steiner serve",
            usage="steiner serve [MODEL] [--config FILE] [OPTIONS]",
            description="Serve a model. Flags outrank STEINER_* variables, those the file of --config.",
            allow_abbrev=False,
        )
        self.add_argument("--config", metavar="FILE", help="YAML or TOML file of settings by their names.")

    def format_help(self) -> str:
        """The groups, each with its flags."""
        formatter = argparse.HelpFormatter(prog=self.prog, max_help_position=34, width=110)
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        actions = [action for action in self._actions if action.help is not argparse.SUPPRESS]
        group_of = {name: title for title, names in GROUPS.items() for name in names}
        for title in ("options", *GROUPS, OTHERS):
            formatter.start_section(title)
            for action in actions:
                name = action.dest.split(".")[0].replace("-", "_")
                default = "options" if name in ("help", "config") else OTHERS
                if group_of.get(name, default) == title:
                    formatter.add_argument(action)
            formatter.end_section()
        formatter.add_text("Any other argument of vLLM goes into --engine-args, as JSON with underscores.")
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        """One line on standard error and status 2; near flags are named."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message = (
                "; ".join(self._suggestion(word) for word in unknown.split() if word.startswith("-"))
                or message
            )
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(2)

    def _suggestion(self, flag: str) -> str:
        name = flag.split("=")[0]
        near = difflib.get_close_matches(name, list(self._option_string_actions), n=1, cutoff=0.75)
        hints = [f"did you mean {near[0]}?"] if near else []
        hints.append("an argument of vLLM's own goes into --engine-args as JSON")
        return "; ".join([f"unknown flag {name}", *hints])
