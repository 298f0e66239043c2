"""The family of latent diffusion models that are conditioned on descriptor embeddings of sounds.

A model of this family is a diffusers directory with a ``UNet2DConditionModel``, an ``AutoencoderDC``
and a scheduler, and a manifest that names the embedding space and the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderDC, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor

from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_image_generation.families.common.latents import blended_noise, shrunk_latents
from chladni_image_generation.families.embedded.conditioning import (
    Condition,
    encode_condition,
    encode_moving_condition,
    null_condition,
)
from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.detail_planes import draw_detail_planes
from chladni_image_generation.families.embedded.detailer import DETAILER_FOLDER, FOLD, Detailer
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS
from chladni_image_generation.families.embedded.looks.canvas import Canvas
from chladni_image_generation.families.embedded.looks.mixture import (
    DRAWERS,
    LANDSCAPE,
    LOOKS,
    needs_denoiser,
    render_looks,
    shares_of_audio,
)
from chladni_image_generation.families.embedded.moving import MovingScene
from chladni_image_generation.families.embedded.noise_grid import couple_noise, grids_of_noise
from chladni_image_generation.families.embedded.strips import decoder_reach, strips_of
from chladni_image_generation.generation import GenerationRequest
from chladni_image_generation.models.files import ModelFiles, ModelFilesError
from chladni_image_generation.models.interface import (
    DenoiserRow,
    DenoisingStage,
    EmbeddingSpace,
    GenerationPlan,
    ImageSizes,
    ModelDescription,
)
from chladni_image_generation.models.loading import LoadingOptions, ModelSource
from chladni_image_generation.models.look_shares import parse_looks
from chladni_image_generation.models.schedulers import (
    SchedulerCatalog,
    step_options,
    timesteps_of,
    velocity_of,
)

FAMILY: Final = "chladni-embedded"
_SUMMARY: Final = (
    "Abstract images by latent diffusion, conditioned on the descriptors of a sound and their course."
)
_STRIP_LATENTS: Final = 160 * 160
"""Most latents that are decoded together, if there are more: about as many as 1280 x 1280 pixels have."""

_STRIP_PIXELS: Final = 512 * 1024
"""Most pixels that get their details together."""


class EmbeddedModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        description: What the model is.
        denoiser: Its UNet, in evaluation mode on the device.
        autoencoder: Its autoencoder, likewise.
        schedulers: Its schedulers.
        detailer: Draws what the latents cannot hold, on the device; `None` if the model has none.
    """

    def __init__(
        self,
        *,
        description: ModelDescription,
        denoiser: UNet2DConditionModel,
        autoencoder: AutoencoderDC,
        schedulers: SchedulerCatalog,
        detailer: Detailer | None = None,
    ) -> None:
        self.description = description
        self.device: torch.device = denoiser.device
        self.dtype: torch.dtype = denoiser.dtype
        self._denoiser = denoiser
        self._autoencoder = autoencoder
        self._schedulers = schedulers
        self._detailer = detailer
        self._reach = decoder_reach(autoencoder.config)

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise to the image that the request's embedding of shape (152,) asks for."""
        embedding = request.conditioning.required_audio_embedding
        # Enlarging is the same model on larger latents.
        shape = self.description.latent_shape_of(
            request.width_pixels, request.height_pixels, upscale=request.upscale
        )
        scheduler = self._schedulers.new(request.scheduler)
        timesteps = timesteps_of(scheduler, request.steps)
        own_noise = self._noise(shape, generator)
        noise = blended_noise(request.conditioning, own_noise)
        # A blend has the variance of white noise but not its independence: the means of its blocks, which
        # bend the scene, would be larger than any in training. Where there are latents alone, they must do.
        is_blend = request.conditioning.initial_latents is None or (
            request.conditioning.initial_latents_weight < 1
        )
        composing_noise = own_noise if is_blend else noise
        descriptors = torch.tensor(embedding, dtype=torch.float32)
        window = request.conditioning.course_window
        moving = None if window is None else MovingScene.of(descriptors, window)
        stage = DenoisingStage(
            scheduler,
            timesteps,
            self.encode(embedding, composing_noise, moving=moving),
            self.null_condition(shape) if request.is_guided else None,
            step_options(scheduler, generator),
        )
        grids = grids_of_noise(composing_noise[None])[0]
        shares = parse_looks(request.look, LOOKS) or shares_of_audio(descriptors)
        full_size = (request.height_pixels * request.upscale, request.width_pixels * request.upscale)
        finish = partial(
            self._finish,
            embedding=descriptors,
            grids=grids,
            shares=shares,
            full_size=full_size,
            moving=moving,
        )
        height, width = full_size
        drawer = DRAWERS.get(next(iter(shares))) if len(shares) == 1 else None
        return GenerationPlan(
            noise * getattr(scheduler, "init_noise_sigma", 1.0),
            (stage,),
            finish,
            drawer and (lambda: drawer(Canvas.of(descriptors, grids, height=height, width=width))),
        )

    def encode(
        self, audio_embedding: NDArray[np.float32], noise: Tensor, *, moving: MovingScene | None = None
    ) -> Mapping[str, Tensor]:
        """Return the UNet's conditions for an embedding of shape (152,) in [0, 1].

        Args:
            audio_embedding: The embedding.
            noise: (C, H, W) white noise that the image starts from, which decides its composition.
            moving: The scene of a frame of moving sound; `None` for a still image.
        """
        embedding = torch.tensor(audio_embedding, dtype=torch.float32)[None]
        grids = grids_of_noise(noise[None])
        _, height, width = noise.shape
        if moving is not None:
            return self._without_batch(
                encode_moving_condition(embedding, moving, grids, height=height, width=width)
            )
        return self._without_batch(encode_condition(embedding, grids, height=height, width=width))

    def null_condition(self, latent_shape: tuple[int, int, int]) -> Mapping[str, Tensor]:
        """Return the conditions that the UNet learned to mean nothing."""
        _, height, width = latent_shape
        return self._without_batch(null_condition(1, height=height, width=width))

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the predicted velocity of each row, float32 (B, C, H, W)."""
        latents = torch.stack([row.latents for row in rows]).to(self.device)
        timesteps = torch.stack([row.timestep for row in rows]).to(self.device)
        condition = {name: torch.stack([row.condition[name] for row in rows]) for name in rows[0].condition}
        estimate: Tensor = self._denoiser(
            torch.cat([latents.to(self.dtype), condition.pop("guide")], dim=1),
            timesteps,
            encoder_hidden_states=None,
            **condition,
        ).sample
        noise_levels = timesteps.float() / self._schedulers.training_timesteps
        return velocity_of(latents, estimate.float(), noise_levels[:, None, None, None])

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of clean latents (B, C, H, W)."""
        scaled = latents.to(self.device, self.dtype) / self._autoencoder.config.scaling_factor
        if self._reach is None:
            return self._decoded(scaled)
        side = self._autoencoder.spatial_compression_ratio
        height, width = scaled.shape[2:]
        strips = strips_of(height, width, max_area=_STRIP_LATENTS, margin=self._reach)
        return np.concatenate(
            [
                self._decoded(scaled[:, :, strip.around])[
                    :, strip.inner.start * side : strip.inner.stop * side
                ]
                for strip in strips
            ],
            axis=1,
        )

    def _decoded(self, scaled: Tensor) -> NDArray[np.uint8]:
        decoded = self._autoencoder.decode(scaled).sample.float()
        pixels = (decoded * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
        array: NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).cpu().numpy()
        return array

    def _noise(self, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
        """Return white noise (C, H, W) that composes an image as that of the native size does."""
        native = torch.randn(self.description.latent_shape, generator=generator)
        if shape == self.description.latent_shape:
            return native
        return couple_noise(torch.randn(shape, generator=generator)[None], grids_of_noise(native[None]))[0]

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show."""
        full_size_pixels = max(latents.shape[1:]) * self._autoencoder.spatial_compression_ratio
        shrunk = shrunk_latents(latents, size_pixels, full_size_pixels=full_size_pixels)
        image: NDArray[np.uint8] = self.decode(shrunk[None])[0]
        return image

    def _finish(
        self,
        pixels: NDArray[np.uint8],
        *,
        embedding: Tensor,
        grids: Tensor,
        shares: Mapping[str, float],
        full_size: tuple[int, int],
        moving: MovingScene | None,
    ) -> NDArray[np.uint8]:
        """Return the pixels (height, width, 3) with their details, and with the other looks of the image.

        Args:
            pixels: What the decoder made.
            embedding: (152,) embedding of the sound.
            grids: (4, 8, 8), what the noise decides.
            shares: Shares of the looks by name.
            full_size: Height and width of the finished image; pixels of another size are a preview of it.
            moving: The scene of a frame of moving sound, which has light of its own in place of details:
                there is no time for them, and they would flicker; `None` for a still image.
        """
        height, width, _ = pixels.shape
        is_landscape = set(shares) == {LANDSCAPE}
        has_details = (
            self._detailer is not None
            and needs_denoiser(shares)
            and (height, width) == full_size
            and moving is None
        )
        if is_landscape and not has_details and moving is None:
            return pixels
        landscape = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        if has_details:
            landscape = self._detailed(landscape, embedding, grids)
        if is_landscape:
            image = landscape
        else:
            image = render_looks(shares, embedding, grids, height=height, width=width, landscape=landscape)
        if moving is not None:
            image = moving.lit(image)
        array: NDArray[np.uint8] = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        return np.ascontiguousarray(array)

    def _detailed(self, image: Tensor, embedding: Tensor, grids: Tensor) -> Tensor:
        """Return an image (3, H, W) in [0, 1] with its details."""
        if self._detailer is None:
            return image
        _, height, width = image.shape
        parameters = parameters_from_descriptors(embedding[None])
        detailed = torch.empty_like(image)
        for strip in strips_of(
            height, width, max_area=_STRIP_PIXELS, margin=self._detailer.reach_pixels, multiple=FOLD
        ):
            planes = draw_detail_planes(
                parameters, grids[None], height=height, width=width, rows=strip.around
            )
            seen = image[None, :, strip.around] * 2 - 1
            drawn = self._detailer(seen.to(self.device), planes.to(self.device))
            detailed[:, strip.rows] = (drawn[0, :, strip.inner] / 2 + 0.5).cpu()
        return detailed

    def _without_batch(self, condition: Condition) -> dict[str, Tensor]:
        return {
            "class_labels": condition.class_labels[0].to(self.device, self.dtype),
            "guide": condition.guide[0].to(self.device, self.dtype),
        }


def load(source: ModelSource, options: LoadingOptions) -> EmbeddedModel:
    """Load a model of this family.

    Raises:
        ModelFilesError: The directory holds a model of another family or is incomplete.
    """
    source.refuse_additions()
    return load_embedded_model(source.files, device=options.device, dtype=source.dtype)


def load_embedded_model(files: ModelFiles, *, device: torch.device, dtype: torch.dtype) -> EmbeddedModel:
    """Load a model of this family from its files.

    Raises:
        ModelFilesError: As `load`.
    """
    conditioning = files.manifest.get("conditioning", {})
    if conditioning.get("descriptor_space") != DESCRIPTOR_SPACE:
        raise ModelFilesError(
            f"Model {files.id!r} does not take embeddings of {DESCRIPTOR_SPACE}: its manifest names "
            f"{conditioning.get('descriptor_space')!r}."
        )
    options = {
        "torch_dtype": dtype,
        "use_safetensors": True,
        "local_files_only": True,
        "low_cpu_mem_usage": False,  # True needs accelerate, which pays only for models of gigabytes.
    }
    try:
        denoiser = UNet2DConditionModel.from_pretrained(files.directory, subfolder="unet", **options)
        autoencoder = AutoencoderDC.from_pretrained(files.directory, subfolder="vae", **options)
        schedulers = SchedulerCatalog(_load_scheduler(files))
        detailer = _load_detailer(files, device)
    except (OSError, ValueError) as error:
        raise ModelFilesError(f"Model {files.id!r} cannot be loaded: {error}") from error
    channels = autoencoder.config.latent_channels
    if denoiser.config.in_channels != channels + GUIDE_CHANNELS:
        raise ModelFilesError(
            f"Model {files.id!r} does not take a guide of {GUIDE_CHANNELS} channels beside its {channels} "
            f"latent ones: its UNet has {denoiser.config.in_channels} input channels."
        )
    side = files.manifest["latents"]["height"]
    defaults = files.manifest["defaults"]
    native_pixels = side * autoencoder.spatial_compression_ratio
    sizes = _sizes_of(files, native_pixels)
    description = ModelDescription(
        id=files.id,
        digest=files.digest,
        description=_SUMMARY,
        license=files.manifest.get("licence", ""),
        family=FAMILY,
        inputs=frozenset({"audio_embedding", "initial_latents"}),
        required_inputs=frozenset({"audio_embedding"}),
        embedding_space=EmbeddingSpace(DESCRIPTOR_SPACE, COMPONENT_COUNT, (0.0, 1.0)),
        latent_shape=(channels, side, side),
        image_size_pixels=(native_pixels, native_pixels),
        sizes=sizes,
        default_steps=defaults["steps"],
        default_guidance_scale=defaults["guidance_scale"],
        scheduler_names=schedulers.names,
        upscales=(1, 2) if native_pixels * 2 in sizes else (1,),
        looks=LOOKS,
        vector_looks=frozenset(DRAWERS),
    )
    return EmbeddedModel(
        description=description,
        # Convolutions run a fifth faster on a CPU if the channels of a pixel lie together.
        denoiser=denoiser.to(device, memory_format=torch.channels_last).eval(),
        autoencoder=autoencoder.to(device, memory_format=torch.channels_last).eval(),
        schedulers=schedulers,
        detailer=detailer,
    )


def _sizes_of(files: ModelFiles, native_pixels: int) -> ImageSizes:
    """Return the sizes that the manifest names; only the native one if it names none."""
    sizes = files.manifest.get("sizes", {})
    return ImageSizes(
        minimum_pixels=sizes.get("minimum_pixels", native_pixels),
        maximum_pixels=sizes.get("maximum_pixels", native_pixels),
        multiple_pixels=sizes.get("multiple_pixels", 1),
    )


def _load_detailer(files: ModelFiles, device: torch.device) -> Detailer | None:
    """Return the detailer, in single precision on every device; `None` if the model has none."""
    folder = files.directory / DETAILER_FOLDER
    if not folder.is_dir():
        return None
    return Detailer.load(folder, dtype=torch.float32).to(device)


def _load_scheduler(files: ModelFiles) -> Any:
    name = files.manifest["defaults"]["scheduler"]
    scheduler_class = getattr(diffusers, name, None)
    if scheduler_class is None:
        raise ModelFilesError(f"Model {files.id!r} names scheduler {name!r}, which diffusers lacks.")
    return scheduler_class.from_pretrained(files.directory, subfolder="scheduler")
