"""Between pixels and latents, by a diffusers autoencoder and, for speed, a tiny decoder beside it.

A tiny decoder that is added to a model gives previews at next to no cost, and images too if that is wanted.
It is of the kind of TAESD (Ollin Boer Bohan, https://github.com/madebyollin/taesd): an autoencoder distilled
from the decoder of a model, for the same latents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from chladni_image_generation.families.common.latents import shrunk_latents
from chladni_image_generation.families.common.pipelines import load_network, save_decoding_memory
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.references import PartKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.models.loading import LoadingOptions, ModelSource


class Vae:
    """An encoder and decoder of images.

    An autoencoder whose configuration says ``force_upcast`` has activations beyond the range of float16. In
    that type alone it is kept in float32, from the start: what an image becomes must not depend on which
    images came before it.

    Args:
        autoencoder: An ``AutoencoderKL`` or another that encodes to a distribution.
        device: Where it computes.
        tiny_decoder: An ``AutoencoderTiny`` of the same latents; `None` for none.
        tiny_decodes_images: Whether it decodes images too, not only sketches.
    """

    def __init__(
        self,
        autoencoder: Any,
        *,
        device: torch.device,
        tiny_decoder: Any = None,
        tiny_decodes_images: bool = False,
    ) -> None:
        if autoencoder.dtype == torch.float16 and autoencoder.config.get("force_upcast", False):
            autoencoder.to(torch.float32)
        self._autoencoder = autoencoder
        self._device = device
        self._preview_decoder = tiny_decoder or autoencoder
        self._decoding = self._preview_decoder if tiny_decodes_images else autoencoder
        self.pixels_per_latent = pixels_per_latent(autoencoder)
        self._processor = VaeImageProcessor(vae_scale_factor=self.pixels_per_latent)

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return int(self._autoencoder.config.latent_channels)

    @property
    def scaling_factor(self) -> float:
        """What the autoencoder's latents are multiplied with to get the denoiser's."""
        return float(self._autoencoder.config.scaling_factor)

    def encode(
        self, image: NDArray[np.uint8], generator: torch.Generator, *, width_pixels: int, height_pixels: int
    ) -> Tensor:
        """Return float32 latents (C, H, W), drawn from the distribution that stands for an image.

        Args:
            image: RGB pixels (height, width, 3) of any size; it is scaled.
            generator: Draws them.
            width_pixels: Width to which it is scaled.
            height_pixels: Height likewise.
        """
        pixels = self._processor.preprocess(Image.fromarray(image), height_pixels, width_pixels)
        distribution = self._autoencoder.encode(pixels.to(self._device, self._autoencoder.dtype)).latent_dist
        latents = normalised(distribution.sample(generator), self._autoencoder)
        return latents[0].float().cpu()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise."""
        return self._pixels(self._decoding, latents)

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show."""
        full_size_pixels = max(latents.shape[1:]) * self.pixels_per_latent
        shrunk = shrunk_latents(latents, size_pixels, full_size_pixels=full_size_pixels)
        image: NDArray[np.uint8] = self._pixels(self._preview_decoder, shrunk[None])[0]
        return image

    def _pixels(self, decoder: Any, latents: Tensor) -> NDArray[np.uint8]:
        scaled = denormalised(latents.to(self._device), decoder)
        decoded = decoder.decode(scaled.to(decoder.dtype)).sample
        array = self._processor.postprocess(decoded.float(), output_type="np")
        pixels: NDArray[np.uint8] = (array * 255).round().astype(np.uint8)
        return pixels


def load_vae(autoencoder: Any, source: ModelSource, options: LoadingOptions) -> Vae:
    """Return a model's way between pixels and latents, with the tiny decoder that is added to the model.

    Args:
        autoencoder: The model's own, in place.
        source: The model's files; the tiny decoder is among the additions, if there is one.
        options: Where and how it computes.

    Raises:
        ModelFilesError: The tiny decoder's files are damaged, or it is made for other latents.
    """
    files = source.additions.get(PartKind.TINY_DECODER)
    if files is None:
        return Vae(autoencoder, device=options.device)
    tiny: Any = load_network(AutoencoderTiny, files.directory, source.dtype)
    for meaning, of_tiny, of_model in (
        ("channels", tiny.config.latent_channels, autoencoder.config.latent_channels),
        ("pixels a side", pixels_per_latent(tiny), pixels_per_latent(autoencoder)),
    ):
        if of_tiny != of_model:
            raise ModelFilesError(
                f"{files.id!r} decodes latents of {of_tiny} {meaning}, those of the model have {of_model}; "
                "take a tiny decoder that was made for this model."
            )
    save_decoding_memory(tiny.to(options.device), options)
    return Vae(
        autoencoder,
        device=options.device,
        tiny_decoder=tiny,
        tiny_decodes_images=options.tiny_decoder_for_images,
    )


def pixels_per_latent(autoencoder: Any) -> int:
    """Return the sides in pixels of the square for which a latent of an autoencoder stands."""
    return int(2 ** (len(autoencoder.config.block_out_channels) - 1))


def normalised(latents: Tensor, autoencoder: Any) -> Tensor:
    """Return a denoiser's latents (B, C, H, W) of an autoencoder's: of about unit variance.

    If the autoencoder's configuration has the mean and deviation of each channel, they are taken out first.
    """
    config = autoencoder.config
    scaling_factor: float = config.scaling_factor
    if not _has_statistics(config):
        return latents * scaling_factor
    mean, deviation = _per_channel(config.latents_mean, latents), _per_channel(config.latents_std, latents)
    return (latents - mean) * scaling_factor / deviation


def denormalised(latents: Tensor, autoencoder: Any) -> Tensor:
    """Return an autoencoder's latents (B, C, H, W) of a denoiser's; the inverse of `normalised`."""
    config = autoencoder.config
    scaling_factor: float = config.scaling_factor
    if not _has_statistics(config):
        return latents / scaling_factor
    mean, deviation = _per_channel(config.latents_mean, latents), _per_channel(config.latents_std, latents)
    return latents * deviation / scaling_factor + mean


def _has_statistics(config: Any) -> bool:
    return config.get("latents_mean") is not None and config.get("latents_std") is not None


def _per_channel(values: Sequence[float], latents: Tensor) -> Tensor:
    return latents.new_tensor(values).view(1, -1, 1, 1)
