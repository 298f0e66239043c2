"""An untrained text-to-image LDM of CompVis: LDMBERT, a UNet with cross-attention, either autoencoder."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Final

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LDMTextToImagePipeline, UNet2DConditionModel, VQModel
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from transformers import BertTokenizer

_TEXT_WIDTH: Final = 16
_MAX_TOKENS: Final = 77
_LATENT_CHANNELS: Final = 4
_PIXELS_PER_LATENT: Final = 8
_ATTENTION_GAIN: Final = 20.0
"""By how much the UNet's attention to the text is amplified: an untrained one hardly minds what it says."""


def save_untrained_ldm_text_to_image(
    directory: Path, *, seed: int = 0, sample_size: int = 32, is_quantized: bool = False
) -> None:
    """Build the model and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        sample_size: Sides of the latents; the published model has 32, for images of 256 x 256 pixels.
        is_quantized: Whether its autoencoder is a vector-quantised one, not one with a KL term.
    """
    tokenizer = _wordless_bert_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = LDMTextToImagePipeline(
            vqvae=_autoencoder(sample_size * _PIXELS_PER_LATENT, is_quantized=is_quantized),
            bert=_text_encoder(len(tokenizer)),
            tokenizer=tokenizer,
            unet=_unet(sample_size),
            scheduler=DDIMScheduler(
                beta_start=0.0015,
                beta_end=0.0195,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
        )
    pipeline.save_pretrained(directory)


def _wordless_bert_tokenizer() -> BertTokenizer:
    """Return a BERT tokenizer that knows letters, digits and punctuation, and spells words with them."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*string.ascii_lowercase, *string.digits]
    tokens = [*special, *letters, *(f"##{letter}" for letter in letters), *string.punctuation]
    return BertTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, model_max_length=_MAX_TOKENS
    )


def _autoencoder(size_pixels: int, *, is_quantized: bool) -> AutoencoderKL | VQModel:
    """Return an autoencoder of four resolutions: the pipeline knows no latents but of 8 x 8 pixels."""
    architecture = {
        "sample_size": size_pixels,
        "block_out_channels": (4, 4, 4, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "norm_num_groups": 4,
        "latent_channels": _LATENT_CHANNELS,
    }
    if not is_quantized:
        return AutoencoderKL(**architecture)
    autoencoder = VQModel(**architecture, num_vq_embeddings=64)
    # Untrained entries lie so close together that nearly all latents would fall to the same few.
    autoencoder.quantize.embedding.weight.data.normal_(std=1 / autoencoder.config.scaling_factor)
    return autoencoder


def _text_encoder(vocabulary_size: int) -> LDMBertModel:
    return LDMBertModel(
        LDMBertConfig(
            vocab_size=vocabulary_size,
            max_position_embeddings=_MAX_TOKENS,
            encoder_layers=2,
            encoder_ffn_dim=32,
            encoder_attention_heads=2,
            head_dim=8,
            d_model=_TEXT_WIDTH,
        )
    )


def _unet(sample_size: int) -> UNet2DConditionModel:
    unet = UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=_LATENT_CHANNELS,
        out_channels=_LATENT_CHANNELS,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=_TEXT_WIDTH,
        attention_head_dim=4,
    )
    for name, weights in unet.named_parameters():
        if name.endswith("attn2.to_out.0.weight"):
            weights.data.mul_(_ATTENTION_GAIN)
    return unet
