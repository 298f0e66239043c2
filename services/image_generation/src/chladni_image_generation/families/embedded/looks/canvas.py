"""What every renderer of a look is given: a sound's parameters, and a plane that the noise bends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES
from chladni_image_generation.families.embedded.correspondences import (
    ImageParameters,
    parameters_from_descriptors,
)
from chladni_image_generation.families.embedded.fields import pixel_grid
from chladni_image_generation.families.embedded.palette import sample_ramp
from chladni_image_generation.families.embedded.scene import noise_fields


@dataclass(frozen=True, slots=True)
class Canvas:
    """One image that is to be rendered.

    Attributes:
        parameters: What the sound decides, of one sound.
        descriptors: Its global descriptors by name, in [0, 1].
        chroma: (12,) energies of the pitch classes, from C.
        noise: (4, H, W) smooth fields of unit variance.
        x: (H, W) coordinates to the right; the shorter side spans [-1, 1].
        y: (H, W) coordinates upwards.
        seed: Seed of what is drawn beside the noise's grid; follows from the signs in the grid.
    """

    parameters: ImageParameters
    descriptors: dict[str, float]
    chroma: Tensor
    noise: Tensor
    x: Tensor
    y: Tensor
    seed: int

    @classmethod
    def of(cls, embedding: Tensor, grids: Tensor, *, height: int, width: int) -> Self:
        """Return the canvas of a sound and of the noise's grid.

        Args:
            embedding: (152,) descriptor embedding in [0, 1].
            grids: (4, 8, 8), what the noise decides.
            height: Height of the image in pixels.
            width: Width of the image in pixels.
        """
        x, y = pixel_grid(1, height, width)
        overall = embedding[: len(DESCRIPTOR_NAMES)]
        # Of the signs alone: the last bits of the noise are others on another kind of processor, where the
        # image may differ by a rounding error, but must not be another one.
        digest = hashlib.sha256((grids > 0).contiguous().numpy().tobytes()).digest()
        return cls(
            parameters=parameters_from_descriptors(embedding[None]),
            descriptors=dict(zip(DESCRIPTOR_NAMES, overall.tolist(), strict=True)),
            chroma=overall[DESCRIPTOR_NAMES.index("chroma_c") :],
            noise=noise_fields(grids[None], height, width)[0],
            x=x[0],
            y=y[0],
            seed=int.from_bytes(digest[:4], "little"),
        )

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.x.shape[0]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x.shape[1]

    @property
    def half_width(self) -> float:
        """Half the width, in units of half the shorter side."""
        return max(self.width / self.height, 1.0)

    @property
    def half_height(self) -> float:
        """Half the height, in units of half the shorter side."""
        return max(self.height / self.width, 1.0)

    @property
    def pixel(self) -> float:
        """Side of a pixel, in units of half the shorter side."""
        return 2 / min(self.height, self.width)

    def generator(self, purpose: int) -> torch.Generator:
        """Return a generator of this image's own, another one for each purpose."""
        return torch.Generator().manual_seed(self.seed * 1_000 + purpose)

    def ramp(self, tone: Tensor) -> Tensor:
        """Return the OKLab colours (3, H, W) of tones (H, W) in [0, 1], from shadow to light."""
        return sample_ramp(self.parameters.palette, tone[None])[0]

    def texture(self, purpose: int, rows: int, columns: int, x: Tensor, y: Tensor) -> Tensor:
        """Return smooth noise of unit variance at most at coordinates (H, W), with so many cells a unit.

        Args:
            purpose: Tells this texture from the image's others.
            rows: Cells along y over the whole texture, which repeats by reflection.
            columns: Cells along x.
            x: (H, W) coordinates; the texture spans [-1, 1].
            y: (H, W) coordinates.
        """
        cells = torch.randn(1, 1, rows, columns, generator=self.generator(purpose))
        where = torch.stack([x, y], dim=2)[None]
        return functional.grid_sample(
            cells, where, mode="bicubic", padding_mode="reflection", align_corners=False
        )[0, 0]

    def course(self, feature: int, positions: Tensor) -> Tensor:
        """Return a feature of the sound's course at positions (N,) from 0, its beginning, to 1, its end."""
        values = self.parameters.course[0, :, feature]
        where = positions.clamp(0, 1) * (len(values) - 1)
        low = where.floor().long().clamp(max=len(values) - 2)
        share = where - low
        share = share * share * (3 - 2 * share)
        return torch.lerp(values[low], values[low + 1], share)
