"""The tiny model's tokenizer: every number and every word of the families is one token, any other text is bytes.

A Unigram model with byte fallback (Kudo, arXiv 1804.10959; the scheme of Llama's SentencePiece tokenizer) whose pieces
are listed rather than learned. A line feed stands for itself and starts a new word boundary, so that text after the
ChatML role line is split as it is anywhere else.
"""

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.reasoning.tasks.languages import Language, words_of
from steiner.training.problems import FAMILIES
from steiner.training.problems.base import EXHAUSTED

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
MAX_NUMBER = 199
ROLES = ("system", "user", "assistant")
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{% generation %}{{- message['content'] + '<|im_end|>' -}}{% endgeneration %}"
    "{%- else -%}{{- message['content'] + '<|im_end|>' -}}{%- endif -%}"
    "{{- '\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
"""ChatML as in Qwen2.5, without a default system message."""

_BOUNDARY = "\u2581"
_PIECES = Regex(
    rf"{_BOUNDARY}?\p{{N}}+|{_BOUNDARY}?\p{{L}}+|{_BOUNDARY}?[^\p{{N}}\p{{L}}{_BOUNDARY}]|{_BOUNDARY}"
)


def special_tokens() -> list[str]:
    """End of text, the turn markers and the protocol's markers, in the order of their ids."""
    return [END_OF_TEXT, TURN_START, TURN_END, *STEINER.special_tokens]


def family_words(*, dialogues: bool = False, languages: Iterable[Language] = ()) -> list[str]:
    """Every word that a family, the closing of a search or a role line writes; sorted, without repetition.

    Args:
        dialogues: whether problems are revised, which needs more words.
        languages: languages other than English.
    """
    spoken: set[str] = set(ROLES)
    for text in (EXHAUSTED.next_step, EXHAUSTED.verification, EXHAUSTED.summary, NOT_FOUND):
        spoken.update(text.split())
    for family in FAMILIES.values():
        spoken.update(family.words)
        if dialogues:
            spoken.update(family.revision_words)
    return sorted(spoken.union(*map(words_of, languages)))


def build_tokenizer(words: Iterable[str], model_max_length: int) -> PreTrainedTokenizerFast:
    """A tokenizer with the protocol's special tokens, numbers 0 to 199, the words and 256 bytes.

    Args:
        words: each becomes one token where it is a whole word; "," also directly after a word.
        model_max_length: positions of the model, in tokens.
    """
    pieces = [_BOUNDARY, *(f"<0x{byte:02X}>" for byte in range(256)), ","]
    pieces += [f"{_BOUNDARY}{number}" for number in range(MAX_NUMBER + 1)]
    pieces += [f"{_BOUNDARY}{word}" for word in words if word != ","]
    # Longer pieces score higher, so that a listed word always beats its spelling.
    scored = [("<unk>", -100.0), *((piece, float(len(piece) - 50)) for piece in pieces)]
    tokenizer = Tokenizer(Unigram(scored, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(_BOUNDARY), normalizers.Replace(" ", _BOUNDARY)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(_PIECES, "isolated")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(_BOUNDARY, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Replace("\n ", "\n"),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special_tokens()]
    )
    tokenizer.add_tokens([AddedToken("\n", normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_START, *STEINER.special_tokens],
        chat_template=CHAT_TEMPLATE,
        model_max_length=model_max_length,
        clean_up_tokenization_spaces=False,
    )
