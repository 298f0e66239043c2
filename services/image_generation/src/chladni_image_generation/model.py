"""The interface between the engine and a family of latent diffusion models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import SchedulerMixin
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageSizes:
    """Lengths of sides that a model makes.

    Attributes:
        minimum_pixels: The shortest.
        maximum_pixels: The longest.
        multiple_pixels: Each is a multiple of this.
    """

    minimum_pixels: int
    maximum_pixels: int
    multiple_pixels: int

    def __contains__(self, side_pixels: int) -> bool:
        return (
            self.minimum_pixels <= side_pixels <= self.maximum_pixels
            and side_pixels % self.multiple_pixels == 0
        )


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model is, for clients and for the provenance.

    Attributes:
        id: Identifier in requests.
        digest: SHA-256 over the model's files.
        description: One sentence for people.
        license: SPDX identifier, or what the model card says.
        embedding_space: Name of the space of its conditioning embeddings.
        embedding_size: Components of such an embedding.
        latent_shape: (C, H, W) of the native size.
        image_size_pixels: Native (width, height).
        sizes: Which other sizes it makes.
        default_steps: Denoising steps where a request names none.
        default_guidance_scale: Guidance scale where a request names none.
        scheduler_names: Diffusers class names of schedulers that fit, the default one first.
    """

    id: str
    digest: str
    description: str
    license: str
    embedding_space: str
    embedding_size: int
    latent_shape: tuple[int, int, int]
    image_size_pixels: tuple[int, int]
    sizes: ImageSizes
    default_steps: int
    default_guidance_scale: float
    scheduler_names: tuple[str, ...]

    def latent_shape_of(self, width_pixels: int, height_pixels: int) -> tuple[int, int, int]:
        """Returns the shape (C, H, W) of the latents of a picture of some size."""
        channels, height, _ = self.latent_shape
        pixels_per_latent = self.image_size_pixels[1] // height
        return (channels, height_pixels // pixels_per_latent, width_pixels // pixels_per_latent)


@dataclass(frozen=True, slots=True)
class DenoiserRow:
    """One row of a call of the denoiser.

    Attributes:
        latents: (C, H, W), as the scheduler scaled them.
        timestep: Scalar.
        condition: Tensors by name, each without the batch axis, as the model's `encode` gave them.
    """

    latents: Tensor
    timestep: Tensor
    condition: Mapping[str, Tensor]


class LatentDiffusionModel(Protocol):
    """A loaded model. Only the engine's thread calls it."""

    description: ModelDescription
    device: torch.device
    dtype: torch.dtype

    def encode(self, audio_embedding: NDArray[np.float32], noise: Tensor) -> Mapping[str, Tensor]:
        """Returns the condition that stands for an embedding of shape (D,).

        Args:
            audio_embedding: The embedding.
            noise: (C, H, W) white noise that the picture starts from.
        """

    def null_condition(self, latent_shape: tuple[int, int, int]) -> Mapping[str, Tensor]:
        """Returns the condition that stands for nothing, for classifier-free guidance."""

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Returns the denoiser's output for each row, float32 (B, C, H, W)."""

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Returns the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise."""

    def clean_estimate(
        self, latents: Tensor, prediction: Tensor, timestep: Tensor, scheduler: SchedulerMixin
    ) -> Tensor:
        """Returns what the latents would be without noise, by the newest prediction."""

    def new_scheduler(self, name: str) -> Any:
        """Returns a scheduler that no other request uses."""
