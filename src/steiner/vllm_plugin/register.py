"""What plain vLLM calls in every one of its processes when this package is installed beside it.

The entry point of group `vllm.general_plugins` in pyproject.toml leads here. Engine cores and workers come by as
well, ours included, so this only names the parser; vLLM imports it where `--reasoning-parser steiner` asks for it.
"""


def register() -> None:
    """Make `--reasoning-parser steiner` known to vLLM; may be called any number of times."""
    from vllm.reasoning import ReasoningParserManager

    ReasoningParserManager.register_lazy_module(
        "steiner", "steiner.vllm_plugin.reasoning_parser", "SteinerReasoningParser"
    )
