"""Untrained models that put captions into a space: a CLAP, and a CLIP to fit `fit_clap_to_clip`'s map to.

Both have the true architecture and the files of real ones, without the gigabytes. What they say of a sound
means nothing, but it depends on everything that the word of a real one depends on: that makes them good for
tests and for trying out a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerFast,
)

from chladni_audio_features.training.caption_grammar import draw_captions

_CAPTIONS: Final = 1500
"""Captions of which the words are known; there is hardly a word of the grammar that none of them has."""

_GAIN: Final = 20.0
"""Factor of the initial weights: with the usual ones, an untrained model says the same of everything."""

_IMAGE_SIDE_PIXELS: Final = 32


def save_untrained_clap(
    directory: Path, *, seed: int = 1, truncation: str = "rand_trunc", **audio_options: Any
) -> None:
    """Build a CLAP and saves it as a transformers directory.

    Args:
        directory: Where to; made if need be.
        seed: Of the weights.
        truncation: What its processor does with sounds of more than ten seconds: ``rand_trunc`` or
            ``fusion``.
        audio_options: Options of its audio branch, such as ``enable_fusion``.
    """
    tokenizer = caption_tokenizer()
    config = ClapConfig(
        audio_config={
            "patch_embeds_hidden_size": 4,
            "hidden_size": 8,
            "depths": [1, 1],
            "num_attention_heads": [1, 2],
            "num_hidden_layers": 2,
            **audio_options,
        },
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 40,
            "initializer_factor": _GAIN,
        },
        initializer_factor=_GAIN,
    )
    with _seeded(seed):
        ClapModel(config).save_pretrained(directory)
    ClapFeatureExtractor(truncation=truncation).save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def save_untrained_clip(directory: Path, *, seed: int = 2) -> None:
    """Build a CLIP and saves it as a transformers directory.

    Its width, its projection and its text tower differ in size, so that none passes for another.

    Args:
        directory: Where to; made if need be.
        seed: Of the weights.
    """
    tokenizer = caption_tokenizer()
    tower = {"intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **tower,
            "hidden_size": 20,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 32,
            "bos_token_id": tokenizer.bos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            **tower,
            "hidden_size": 16,
            "image_size": _IMAGE_SIDE_PIXELS,
            "patch_size": 8,
            "projection_dim": 12,
        },
        projection_dim=12,
        initializer_factor=_GAIN,
    )
    with _seeded(seed):
        CLIPModel(config).save_pretrained(directory)
    CLIPImageProcessorPil(
        size={"shortest_edge": _IMAGE_SIDE_PIXELS},
        crop_size={"height": _IMAGE_SIDE_PIXELS, "width": _IMAGE_SIDE_PIXELS},
    ).save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def caption_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the words of captions, with the special tokens of CLAP's."""
    captions = draw_captions(count=_CAPTIONS, seed=3)
    words = sorted({word for caption in captions for word in caption.split()})
    vocabulary = {word: index for index, word in enumerate(["<s>", "<pad>", "<unk>", *words, "</s>"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
