"""An untrained Stable unCLIP: Stable Diffusion whose UNet also takes embeddings of CLIP's vision tower."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from diffusers import DDPMScheduler, StableUnCLIPImg2ImgPipeline
from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer
from transformers import CLIPModel, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from chladni_image_generation.testing.untrained_checkpoints.preprocessors import (
    byte_level_clip_tokenizer,
    clip_image_processor,
)
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    TRAINING_SCHEDULE,
    new_scheduler,
    text_encoder_config,
    untrained_autoencoder,
    untrained_unet,
)

EMBEDDING_SIZE: Final = 16
"""Components of an image embedding, if no CLIP is given."""


def save_untrained_stable_unclip(
    directory: Path, *, seed: int = 0, scheduler: str = "PNDMScheduler", clip_directory: Path | None = None
) -> None:
    """Build the model and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        scheduler: Diffusers class name of its default scheduler.
        clip_directory: A CLIP whose vision tower becomes the image encoder; `None` for an untrained one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image_encoder = vision_tower(clip_directory)
        size = image_encoder.config.projection_dim
        pipeline = StableUnCLIPImg2ImgPipeline(
            feature_extractor=clip_image_processor(image_encoder.config.image_size),
            image_encoder=image_encoder,
            image_normalizer=_untrained_normalizer(size),
            image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            tokenizer=byte_level_clip_tokenizer(),
            text_encoder=CLIPTextModel(text_encoder_config()),
            unet=untrained_unet(
                class_embed_type="projection", projection_class_embeddings_input_dim=2 * size
            ),
            scheduler=new_scheduler(scheduler, {**TRAINING_SCHEDULE, "prediction_type": "v_prediction"}),
            vae=untrained_autoencoder(),
        )
    pipeline.save_pretrained(directory)


def vision_tower(clip_directory: Path | None) -> CLIPVisionModelWithProjection:
    """Return the vision tower of a CLIP, or an untrained one for images of 8 x 8 pixels.

    Args:
        clip_directory: A transformers directory of a CLIP; `None` for none.
    """
    if clip_directory is not None:
        return _tower_of(CLIPModel.from_pretrained(clip_directory, local_files_only=True))
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=32,
            num_attention_heads=2,
            num_hidden_layers=2,
            image_size=8,
            patch_size=4,
            projection_dim=EMBEDDING_SIZE,
        )
    )


def _tower_of(clip: CLIPModel) -> CLIPVisionModelWithProjection:
    """Return a CLIP's vision tower with its projection, whose size is in the configuration of the whole."""
    config = CLIPVisionConfig.from_dict(
        {**clip.config.vision_config.to_dict(), "projection_dim": clip.config.projection_dim}
    )
    tower = CLIPVisionModelWithProjection(config)
    weights = clip.state_dict()
    tower.load_state_dict({name: weights[name] for name in tower.state_dict()})
    return tower


def _untrained_normalizer(size: int) -> StableUnCLIPImageNormalizer:
    """Return a normalizer with some mean and standard deviation, so that leaving it out would show."""
    normalizer = StableUnCLIPImageNormalizer(size)
    normalizer.mean.data.normal_()
    normalizer.std.data.uniform_(0.5, 2.0)
    return normalizer
