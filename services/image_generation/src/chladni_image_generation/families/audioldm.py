"""AudioLDM, from the embedding of a sound to an image of the mel spectrogram that it imagines.

Liu et al. (2023), "AudioLDM: Text-to-audio generation with latent diffusion models": the UNet follows a CLAP
embedding, and in CLAP's space those of sounds and those of texts are interchangeable. The published pipeline
takes a text and makes a waveform of the mel spectrogram; here a sound is sent, and the spectrogram is the
result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from diffusers import AudioLDMPipeline
from transformers import SpeechT5HifiGanConfig

from chladni_image_generation.families.common.clap_text import (
    embed_text,
    load_text_encoder,
    max_text_tokens,
    space_of,
)
from chladni_image_generation.families.common.latents import initial_noise
from chladni_image_generation.families.common.mel_images import mel_image
from chladni_image_generation.families.common.pipelines import load_pipeline, text_reader
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import (
    DenoisingStage,
    EmbeddingSpace,
    GenerationPlan,
    ImageSizes,
    ModelDescription,
)
from chladni_image_generation.models.schedulers import SchedulerCatalog, step_options, timesteps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.files import ModelFiles
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "audioldm"
IMAGE_SIZE_PIXELS: Final = 512
DURATION_SECONDS: Final = 10.24
"""Length of the sound that is imagined: that of the sounds on which AudioLDM was trained."""

LICENSE: Final = "CC-BY-NC-SA-4.0"
"""That of the published weights, which do not name it themselves."""

_DEFAULT_STEPS, _DEFAULT_GUIDANCE_SCALE = 50, 7.5


class AudioLdmModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        description: What the model is.
        pipeline: Holds its networks and its tokenizer.
        schedulers: Its schedulers.
        device: Where it computes.
    """

    def __init__(
        self,
        *,
        description: ModelDescription,
        pipeline: AudioLDMPipeline,
        schedulers: SchedulerCatalog,
        device: torch.device,
    ) -> None:
        self.description = description
        self.device = device
        self.dtype: torch.dtype = pipeline.unet.dtype
        self._pipeline = pipeline
        self._schedulers = schedulers

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise to the spectrogram of a sound with the request's embedding, (512,)."""
        conditioning = request.conditioning
        scheduler = self._schedulers.new(request.scheduler)
        timesteps = timesteps_of(scheduler, request.steps)
        noise = initial_noise(conditioning, self.description.latent_shape, generator)
        stage = DenoisingStage(
            scheduler,
            timesteps,
            {"class_labels": torch.tensor(conditioning.required_audio_embedding).to(self.device, self.dtype)},
            self._condition_of_text(conditioning.negative_prompt) if request.is_guided else None,
            step_options(scheduler, generator),
        )
        return GenerationPlan(noise * scheduler.init_noise_sigma, (stage,))

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W)."""
        prediction: Tensor = self._pipeline.unet(
            torch.stack([row.latents for row in rows]).to(self.device, self.dtype),
            torch.stack([row.timestep for row in rows]).to(self.device),
            encoder_hidden_states=None,
            class_labels=torch.stack([row.condition["class_labels"] for row in rows]),
        ).sample
        return prediction.float()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, 512, 512, 3) of latents (B, C, H, W) without noise."""
        return np.stack([mel_image(mel, size_pixels=IMAGE_SIZE_PIXELS) for mel in self._mels(latents)])

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (size, size, 3) of a coarser spectrogram of what latents (C, H, W) show.

        The latents are shrunk to about one cell of the spectrogram for each pixel: that is first of all in
        time, of which there is sixteen times as much.
        """
        needed = math.ceil(size_pixels / self._pipeline.vae_scale_factor)
        sides = [min(side, needed) for side in latents.shape[1:]]
        shrunk = torch.nn.functional.interpolate(latents[None], size=sides, mode="area")
        return mel_image(self._mels(shrunk)[0], size_pixels=size_pixels)

    def _condition_of_text(self, text: str) -> Mapping[str, Tensor]:
        embedding = embed_text(self._pipeline.text_encoder, self._pipeline.tokenizer, text)
        return {"class_labels": embedding.to(self.device)}

    def _mels(self, latents: Tensor) -> NDArray[np.float32]:
        """Return mel spectrograms (B, frames, mel bins), natural logarithms of amplitudes."""
        autoencoder = self._pipeline.vae
        scaled = 1 / autoencoder.config.scaling_factor * latents.to(self.device, self.dtype)
        mels: NDArray[np.float32] = autoencoder.decode(scaled).sample[:, 0].float().cpu().numpy()
        return mels


def load(source: ModelSource, options: LoadingOptions) -> AudioLdmModel:
    """Load a model of this family, without its vocoder, which would make a waveform of the spectrogram.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family.
    """
    source.refuse_additions()
    text_encoder, vocoder_config = load_text_encoder(source.files), _load_vocoder_config(source.files)
    space = space_of(text_encoder)
    pipeline: Any = load_pipeline(
        AudioLDMPipeline, source, options, text_encoder=text_encoder.to(source.dtype), vocoder=None
    )
    schedulers = SchedulerCatalog(pipeline.scheduler)
    return AudioLdmModel(
        description=_describe(pipeline, vocoder_config, space, source.files, schedulers),
        pipeline=pipeline,
        schedulers=schedulers,
        device=options.device,
    )


def _describe(
    pipeline: Any,
    vocoder_config: SpeechT5HifiGanConfig,
    space: EmbeddingSpace,
    files: ModelFiles,
    schedulers: SchedulerCatalog,
) -> ModelDescription:
    taken = pipeline.unet.config.projection_class_embeddings_input_dim
    if taken != space.size:
        raise ModelFilesError(
            f"Model {files.id!r} does not fit together: its UNet takes embeddings of {taken} components, and "
            f"its text encoder makes such of {space.size}."
        )
    # A frame of the spectrogram for each hop, and the hop is what the vocoder makes of a frame.
    frames = round(DURATION_SECONDS * vocoder_config.sampling_rate / math.prod(vocoder_config.upsample_rates))
    cells_per_latent = pipeline.vae_scale_factor
    return ModelDescription(
        id=files.id,
        family=FAMILY,
        digest=files.digest,
        description="Images of the mel spectrogram that AudioLDM imagines of a sound.",
        license=files.manifest.get("licence") or LICENSE,
        inputs=frozenset({"audio_embedding", "negative_prompt"}),
        required_inputs=frozenset({"audio_embedding"}),
        embedding_space=space,
        latent_shape=(
            pipeline.unet.config.in_channels,
            math.ceil(frames / cells_per_latent),
            vocoder_config.model_in_dim // cells_per_latent,
        ),
        image_size_pixels=(IMAGE_SIZE_PIXELS, IMAGE_SIZE_PIXELS),
        sizes=ImageSizes(IMAGE_SIZE_PIXELS, IMAGE_SIZE_PIXELS, 1),
        default_steps=_DEFAULT_STEPS,
        default_guidance_scale=_DEFAULT_GUIDANCE_SCALE,
        scheduler_names=schedulers.names,
        text_reader=text_reader(
            pipeline.tokenizer, max_tokens=max_text_tokens(pipeline.text_encoder, pipeline.tokenizer)
        ),
    )


def _load_vocoder_config(files: ModelFiles) -> SpeechT5HifiGanConfig:
    """Return the configuration of the vocoder, which describes the spectrograms that it was made for."""
    try:
        # Not from_pretrained, which takes defaults if there is no file.
        return SpeechT5HifiGanConfig.from_json_file(files.directory / "vocoder" / "config.json")
    except (OSError, ValueError) as error:
        raise ModelFilesError(
            f"Model {files.id!r} has no readable vocoder/config.json, which holds the size of spectrograms."
        ) from error
