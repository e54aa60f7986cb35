"""What plain vLLM calls in each of its processes if this package is installed too.

The entry point of group `vllm.general_plugins` in pyproject.toml leads here. Engine cores and workers call it as
well, ours included. So it only names the parser, which vLLM imports if `--reasoning-parser steiner` asks for it.
"""


def register() -> None:
    """Make `--reasoning-parser steiner` known to vLLM; may be called any number of times."""
    from vllm.reasoning import ReasoningParserManager

    ReasoningParserManager.register_lazy_module(
        "steiner", "steiner.vllm_plugin.reasoning_parser", "SteinerReasoningParser"
    )
