"""Content parts that OpenAI's and vLLM's clients may send and that are not read here, each with the reason."""

from __future__ import annotations

from steiner.server.intake.request_model import type_of

IMAGE = "the model reads text; describe the image in a text part"
AUDIO = "the model reads text; send a transcript as a text part"
VIDEO = "the model reads text; describe the video in a text part"
FILE = "files are neither kept nor opened here; send the file's text as a text part"

NOT_READ: dict[str, str] = {
    # Chat completions: OpenAI's, then vLLM's.
    "image_url": IMAGE,
    "input_audio": AUDIO,
    "file": FILE,
    "audio_url": AUDIO,
    "audio_embeds": AUDIO,
    "image_pil": IMAGE,
    "image_embeds": IMAGE,
    "video_url": VIDEO,
    "video_embeds": VIDEO,
    "prompt_embeds": "prompts are made of text; send a text part",
    "thinking": "of earlier reasoning the prompt keeps what reasoning_steps concluded; send those back",
    "tool_reference": "send the tool in tools",
    # Responses.
    "input_image": IMAGE,
    "input_file": FILE,
    "computer_screenshot": IMAGE,
}


def text_or_parts(content: object) -> str:
    """Tag of content by its form, for a discriminator: "(text)", or "(parts)" for a list."""
    return "(parts)" if isinstance(content, list) else "(text)"


def refuse_what_is_not_read(part: object) -> object:
    """Raises ValueError for a part whose kind is in `NOT_READ`; returns anything else unchanged."""
    kind = type_of(part)
    if isinstance(kind, str) and kind in NOT_READ:
        raise ValueError(f"a part of type {kind!r} cannot be read: {NOT_READ[kind]}")
    return part
