"""For `trust_remote_code=True`; without it the library's own class loads tokenizer.json."""

from transformers import PreTrainedTokenizerFast


class SteinerTokenizer(PreTrainedTokenizerFast):
    """The tokenizer.json beside this file, as it is."""
