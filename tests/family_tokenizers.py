"""Tokenizers and chat templates laid out as those of Llama 3, Mistral, Gemma and Phi-3, small.

The layouts are those of the published models: what a template writes, trims, refuses and leaves out, which special
tokens there are, and whether the vocabulary is one of bytes or of pieces with a byte for what has no piece.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

LLAMA3 = (
    "{{- bos_token -}}{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] | trim -%}"
    "{%- set messages = messages[1:] -%}{%- else -%}{%- set system = '' -%}{%- endif -%}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n\n' + system "
    "+ '<|eot_id|>' -}}{%- for m in messages -%}"
    "{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%}"
)
MISTRAL = (
    "{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] -%}"
    "{%- set said = messages[1:] -%}{%- else -%}{%- set said = messages -%}{%- endif -%}{{- bos_token -}}"
    "{%- for m in said -%}{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{- raise_exception('After the optional system message, conversation roles must alternate') -}}{%- endif -%}"
    "{%- if m['role'] == 'user' -%}{%- if loop.first and system is defined -%}"
    "{{- ' [INST] ' + system + '\n\n' + m['content'] + ' [/INST]' -}}{%- else -%}"
    "{{- ' [INST] ' + m['content'] + ' [/INST]' -}}{%- endif -%}{%- elif m['role'] == 'assistant' -%}"
    "{{- ' ' + m['content'] + eos_token -}}{%- else -%}"
    "{{- raise_exception('Only user and assistant roles are supported') -}}{%- endif -%}{%- endfor -%}"
)
GEMMA = (
    "{{- bos_token -}}{%- if messages[0]['role'] == 'system' -%}{{- raise_exception('System role not supported') -}}"
    "{%- endif -%}{%- for m in messages -%}{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}{%- endif -%}"
    "{%- set role = 'model' if m['role'] == 'assistant' else m['role'] -%}"
    "{{- '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}"
)
PHI3 = (
    "{{- bos_token -}}{%- for m in messages -%}{%- if m['role'] == 'user' -%}"
    "{{- '<|user|>\n' + m['content'] + '<|end|>\n<|assistant|>\n' -}}{%- elif m['role'] == 'assistant' -%}"
    "{{- m['content'] + '<|end|>\n' -}}{%- endif -%}{%- endfor -%}"
)
SPACE = "\u2581"


def llama3() -> PreTrainedTokenizerFast:
    """Bytes; the tokenizer itself puts a BOS before a text, and the template writes one."""
    special = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"]
    alphabet = {char: index for index, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return _made(backend, special, LLAMA3, bos=special[0], eos="<|eot_id|>")


def mistral() -> PreTrainedTokenizerFast:
    """Pieces; a space comes before the first text only."""
    backend = Tokenizer(_pieces(["<s>", "</s>", "[INST]", "[/INST]"]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first", split=False)
    backend.decoder = _pieces_decoder()
    return _made(backend, ["<s>", "</s>", "[INST]", "[/INST]"], MISTRAL, bos="<s>", eos="</s>")


def gemma() -> PreTrainedTokenizerFast:
    """Pieces; no space is added anywhere."""
    special = ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]
    backend = Tokenizer(_pieces(special))
    backend.normalizer = normalizers.Replace(" ", SPACE)
    backend.decoder = _pieces_decoder(strips=0)
    return _made(backend, special, GEMMA, bos="<bos>", eos="<eos>")


def phi3() -> PreTrainedTokenizerFast:
    """Pieces; a space comes before every text, and some markers swallow the white space behind them."""
    special = ["<s>", "<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"]
    backend = Tokenizer(_pieces(special))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    backend.decoder = _pieces_decoder()
    stripping = frozenset({"<|user|>", "<|assistant|>", "<|end|>"})
    return _made(backend, special, PHI3, bos="<s>", eos="<|endoftext|>", strip_right=stripping)


FAMILIES = {"llama 3": llama3, "mistral": mistral, "gemma": gemma, "phi 3": phi3}


def _pieces(special: Sequence[str]) -> models.BPE:
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), SPACE]
    pieces += [chr(code) for code in range(33, 127)] + ["he", f"{SPACE}h", f"{SPACE}he"]
    vocab = {piece: index for index, piece in enumerate(["<unk>", *pieces])}
    merges = [("h", "e"), (SPACE, "he"), (SPACE, "h")]
    return models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)


def _pieces_decoder(strips: int = 1) -> decoders.Sequence:
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", strips, 0)] if strips else steps)


def _made(
    backend: Tokenizer,
    special: Sequence[str],
    template: str,
    *,
    bos: str,
    eos: str,
    strip_right: frozenset[str] = frozenset(),
) -> PreTrainedTokenizerFast:
    backend.add_special_tokens(
        [AddedToken(text, special=True, normalized=False, rstrip=text in strip_right) for text in special]
    )
    backend.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos, eos_token=eos, chat_template=template
    )
