"""What prepares texts and images in untrained checkpoints.

Every byte is a token, so that no tokenizer has to be downloaded.
"""

from __future__ import annotations

from typing import Final

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPImageProcessorPil, CLIPTokenizer

MAX_TOKENS: Final = 77
"""Tokens of a prompt, begin and end included, as in every CLIP."""

BEGIN_TOKEN: Final = "<|startoftext|>"  # noqa: S105 - no password
END_TOKEN: Final = "<|endoftext|>"  # noqa: S105 - likewise

VOCABULARY_SIZE: Final = 514
"""256 bytes, the same at the end of a word, and the two tokens that begin and end a text."""

BEGIN_TOKEN_ID: Final = 512
END_TOKEN_ID: Final = 513


def byte_level_clip_tokenizer() -> CLIPTokenizer:
    """Return a CLIP tokenizer that knows bytes and no words; a text has about one token for each letter."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), BEGIN_TOKEN, END_TOKEN]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=MAX_TOKENS)


def clip_image_processor(size_pixels: int) -> CLIPImageProcessorPil:
    """Return the processor that scales and crops images to squares of some size, and normalises them."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": size_pixels}, crop_size={"height": size_pixels, "width": size_pixels}
    )
