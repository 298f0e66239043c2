"""The interface between the engine and a family of latent diffusion models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chladni_contract.errors import ChladniError, Reason
from chladni_image_generation.generation import GenerationRequest
from chladni_image_generation.vector_image import VectorImage


@dataclass(frozen=True, slots=True)
class ImageSizes:
    """Lengths of sides that a model makes.

    Attributes:
        minimum_pixels: The shortest.
        maximum_pixels: The longest.
        multiple_pixels: Each is a multiple of this.
        limited_by: Name of the setting that keeps sides shorter than the model could make them; empty if none
            does.
    """

    minimum_pixels: int
    maximum_pixels: int
    multiple_pixels: int
    limited_by: str = ""

    def __contains__(self, side_pixels: int) -> bool:
        return (
            self.minimum_pixels <= side_pixels <= self.maximum_pixels
            and side_pixels % self.multiple_pixels == 0
        )


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The embeddings that a model takes.

    Attributes:
        name: Name of the space.
        size: Components of an embedding.
        limits: Smallest and largest value of a component; `None` if any finite one will do.
    """

    name: str
    size: int
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class TextReader:
    """How much of a text a model reads.

    Attributes:
        max_tokens: Tokens at most, with those that begin and end a text; the others have no effect.
        count_tokens: Returns how many tokens a text has.
    """

    max_tokens: int
    count_tokens: Callable[[str], int]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model is, for clients and for the provenance.

    Attributes:
        id: Identifier in requests.
        family: Kind of model: those of one kind take the same inputs.
        digest: SHA-256 over the model's files.
        description: One sentence for people.
        license: SPDX identifier, or what the model card says.
        inputs: Fields of the conditioning that it takes.
        required_inputs: Those that it cannot do without.
        embedding_space: The embeddings that it takes; `None` for none.
        latent_shape: (C, H, W) of the native size.
        image_size_pixels: Native (width, height).
        sizes: Which other sizes it makes.
        default_steps: Denoising steps if a request names none.
        default_guidance_scale: Guidance scale if a request names none.
        scheduler_names: Diffusers class names of schedulers that fit, the default one first.
        guidance_rows: Rows of the denoiser that a guided request takes; 1 if the network itself guides.
        upscales: Factors by which it enlarges its images.
        has_upscaler: Whether a network of its own enlarges them, whatever their size.
        default_refiner_start: Part of the steps after which its refiner takes over if a request does not
            say; `None` if it has no refiner.
        text_reader: How much of a text it reads; `None` if it takes none.
        looks: Looks that it has, the default one first; empty if it has one way to show a sound.
        vector_looks: Those of which it draws shapes, too, each alone.
    """

    id: str
    family: str
    digest: str
    description: str
    license: str
    inputs: frozenset[str]
    required_inputs: frozenset[str]
    embedding_space: EmbeddingSpace | None
    latent_shape: tuple[int, int, int]
    image_size_pixels: tuple[int, int]
    sizes: ImageSizes
    default_steps: int
    default_guidance_scale: float
    scheduler_names: tuple[str, ...]
    guidance_rows: int = 2
    upscales: tuple[int, ...] = (1,)
    has_upscaler: bool = False
    default_refiner_start: float | None = None
    text_reader: TextReader | None = field(default=None, compare=False, repr=False)
    looks: tuple[str, ...] = ()
    vector_looks: frozenset[str] = frozenset()

    def limited_to(self, max_side_pixels: int, *, setting: str) -> ModelDescription:
        """Return the description of this model on a server that makes no longer sides than some length.

        Args:
            max_side_pixels: The length; the native size is made in any case.
            setting: Name of the setting that says so.
        """
        largest = max(max_side_pixels - max_side_pixels % self.sizes.multiple_pixels, *self.image_size_pixels)
        if self.sizes.maximum_pixels <= largest:
            return self
        upscales = tuple(
            factor
            for factor in self.upscales
            if factor == 1 or self.has_upscaler or max(self.image_size_pixels) * factor <= largest
        )
        sizes = replace(
            self.sizes,
            minimum_pixels=min(self.sizes.minimum_pixels, largest),
            maximum_pixels=largest,
            limited_by=setting,
        )
        return replace(self, sizes=sizes, upscales=upscales)

    def latent_shape_of(
        self, width_pixels: int, height_pixels: int, *, upscale: int = 1
    ) -> tuple[int, int, int]:
        """Return the shape (C, H, W) of the latents with which an image of some size begins.

        Args:
            width_pixels: Width of the image, before it is enlarged.
            height_pixels: Height of the image, before it is enlarged.
            upscale: Factor by which it is enlarged; without an upscaler, by larger latents.
        """
        if upscale != 1 and not self.has_upscaler:
            return self.latent_shape_of(width_pixels * upscale, height_pixels * upscale)
        if (width_pixels, height_pixels) == self.image_size_pixels:
            return self.latent_shape
        channels, height, _ = self.latent_shape
        pixels_per_latent = self.image_size_pixels[1] // height
        return (channels, height_pixels // pixels_per_latent, width_pixels // pixels_per_latent)


@dataclass(frozen=True, slots=True)
class DenoiserRow:
    """One row of a call of a denoiser.

    Attributes:
        latents: (C, H, W), as the scheduler scaled them.
        timestep: Scalar.
        condition: Tensors by name, each without the batch axis, as the stage holds them.
        network: Which of the model's denoisers is meant; all rows of a call mean the same.
    """

    latents: Tensor
    timestep: Tensor
    condition: Mapping[str, Tensor]
    network: str = ""


def _unchanged(latents: Tensor) -> Tensor:
    return latents


def _finished(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels


@dataclass(frozen=True, slots=True, eq=False)
class DenoisingStage:
    """A part of the way from noise to an image: one denoiser under one condition.

    Attributes:
        scheduler: A scheduler that nothing else uses, its timesteps set.
        timesteps: (N,), those of the scheduler that are taken.
        condition: What the denoiser takes beside latents and timestep: tensors by name, without batch axis.
        null_condition: What stands for nothing, for classifier-free guidance; `None` without guidance.
        step_options: Further arguments of the scheduler's steps.
        network: Name of the denoiser; empty for the first one of the model.
        enter: From the latents with which the stage before ended to those with which this one begins.
        enlargement: Factor by which `enter` makes the sides of the latents longer.
    """

    scheduler: Any
    timesteps: Tensor
    condition: Mapping[str, Tensor]
    null_condition: Mapping[str, Tensor] | None = None
    step_options: Mapping[str, Any] = field(default_factory=dict)
    network: str = ""
    enter: Callable[[Tensor], Tensor] = _unchanged
    enlargement: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class GenerationPlan:
    """The way from noise to one image.

    Attributes:
        latents: float32 (C, H, W) with which it begins, at the noise level of the first timestep.
        stages: Its stages, at least one.
        finish: From the decoded pixels (height, width, 3) of this image to those that callers get, and from
            those of its previews. It depends on the request alone, not on who shared a call.
        draw: Draws the same image as shapes, on any thread; `None` if there are none of its look.
    """

    latents: Tensor
    stages: tuple[DenoisingStage, ...]
    finish: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = _finished
    draw: Callable[[], VectorImage] | None = None


class ImagesWithheldError(ChladniError):
    """A safety checker objects to at least one image of a call; calls with one image each show which.

    Attributes:
        images: RGB pixels (B, height, width, 3) of all of them, which must not leave the service.
    """

    def __init__(self, images: NDArray[np.uint8]) -> None:
        super().__init__(
            Reason.IMAGE_WITHHELD,
            "The model's safety checker objects to the image, which is withheld. Another prompt or seed "
            "may do better.",
        )
        self.images = images


class LatentDiffusionModel(Protocol):
    """A loaded model. Only the engine's thread calls it."""

    description: ModelDescription
    device: torch.device
    dtype: torch.dtype

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way to a request's image.

        Args:
            request: What to generate; its fields fit the model's description.
            generator: Draws all that is random, on the CPU, so that a seed means the same on every device.

        Raises:
            InvalidInputError: The scheduler cannot take so few steps.
        """

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the denoiser's output for each row, float32 (B, C, H, W)."""

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise.

        Raises:
            ImagesWithheldError: A safety checker is configured and objects.
        """

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) that show what latents (C, H, W) are, quickly.

        Args:
            latents: Latents without noise.
            size_pixels: Length that the longer side should have; it need not be met.

        Raises:
            ImagesWithheldError: As `decode`.
        """
