"""An untrained AudioLDM: CLAP's text branch, a UNet that follows embeddings, a mel autoencoder, a vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from diffusers import AudioLDMPipeline, AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoTokenizer,
    ClapTextConfig,
    ClapTextModelWithProjection,
    PreTrainedTokenizerBase,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

_EMBEDDING_SIZE: Final = 512
_LATENT_CHANNELS: Final = 8
_MEL_BINS: Final = 64
_MAX_TOKENS: Final = 512
_MAX_POSITIONS: Final = 514
_EMBEDDING_GAIN: Final = 100.0
"""By how much embeddings are amplified: an untrained UNet hardly minds their 512 small components."""

_MEL_SPREAD: Final = 3.0
"""By how much the autoencoder's output is enlarged, so that spectrograms have quiet cells and loud ones."""


def save_untrained_audioldm(directory: Path, *, seed: int = 0, clap_directory: Path | None = None) -> None:
    """Build the model and save it as a diffusers directory.

    Latents, spectrograms and embeddings have the published model's shapes; only the channels are fewer.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        clap_directory: A CLAP in the format of transformers; its text branch and its tokenizer are taken, so
            that the model follows the embeddings of that CLAP. `None` for a random text branch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text_encoder = _text_encoder_of(clap_directory) if clap_directory else _text_encoder()
        pipeline = AudioLDMPipeline(
            vae=_autoencoder(),
            text_encoder=text_encoder,
            tokenizer=_tokenizer_of(clap_directory, text_encoder) if clap_directory else _tokenizer(),
            unet=_unet(),
            scheduler=DDIMScheduler(
                beta_start=0.0015,
                beta_end=0.0195,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
            vocoder=_vocoder(),
        )
    pipeline.save_pretrained(directory)


def _text_encoder_of(clap_directory: Path) -> ClapTextModelWithProjection:
    encoder: ClapTextModelWithProjection = ClapTextModelWithProjection.from_pretrained(
        clap_directory, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return encoder


def _tokenizer_of(clap_directory: Path, text_encoder: ClapTextModelWithProjection) -> PreTrainedTokenizerBase:
    longest = text_encoder.config.max_position_embeddings - (_MAX_POSITIONS - _MAX_TOKENS)
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        clap_directory, local_files_only=True, model_max_length=longest
    )
    return tokenizer


def _tokenizer() -> RobertaTokenizer:
    """Return RoBERTa's tokenizer with bytes and no words; a text has one token for each letter."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    return RobertaTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=[], model_max_length=_MAX_TOKENS
    )


def _text_encoder() -> ClapTextModelWithProjection:
    return ClapTextModelWithProjection(
        ClapTextConfig(
            vocab_size=len(_tokenizer()),
            hidden_size=8,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=2,
            max_position_embeddings=_MAX_POSITIONS,
            projection_dim=_EMBEDDING_SIZE,
        )
    )


def _unet() -> UNet2DConditionModel:
    """Return a UNet whose attention is to itself, and to which an embedding comes with the timestep."""
    channels = (4, 4, 8)
    unet = UNet2DConditionModel(
        sample_size=128,
        in_channels=_LATENT_CHANNELS,
        out_channels=_LATENT_CHANNELS,
        block_out_channels=channels,
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=channels,
        attention_head_dim=4,
        class_embed_type="simple_projection",
        class_embeddings_concat=True,
        projection_class_embeddings_input_dim=_EMBEDDING_SIZE,
    )
    unet.class_embedding.weight.data.mul_(_EMBEDDING_GAIN)
    return unet


def _autoencoder() -> AutoencoderKL:
    """Return an autoencoder of one channel whose latents stand for 4 x 4 cells of a spectrogram."""
    autoencoder = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=(4, 4, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=4,
        latent_channels=_LATENT_CHANNELS,
        scaling_factor=0.9227,
    )
    autoencoder.decoder.conv_out.weight.data.mul_(_MEL_SPREAD)
    return autoencoder


def _vocoder() -> SpeechT5HifiGan:
    """Return a vocoder of 64 mel bins and a hop of 160 samples at 16 kHz."""
    return SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=_MEL_BINS,
            sampling_rate=16_000,
            upsample_initial_channel=32,
            upsample_rates=[5, 4, 2, 2, 2],
            upsample_kernel_sizes=[16, 16, 8, 4, 4],
            normalize_before=False,
        )
    )
