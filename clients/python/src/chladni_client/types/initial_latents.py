"""Initial latents: a sound in the shape of the noise that a latent diffusion model starts from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LatentBasis(StrEnum):
    """In which numbers a mel spectrogram becomes initial latents."""

    MEL = "mel"
    """The cells of the mel image, row by row; neighbours are alike."""
    DCT = "dct"
    """The coefficients of its two-dimensional cosine transform, row by row; nearly uncorrelated."""


@dataclass(frozen=True, slots=True)
class InitialLatentsOptions:
    """How initial latents are made.

    Attributes:
        shape: Channels, height and width; their product is a square number. Empty means (4, 32, 32).
        basis: In which numbers.
        calibration: Name of the calibration that scales the values; empty takes the server's default for
            this shape and basis.
        is_unscaled: Whether the values are left as they are: what calibrations are computed from.
    """

    shape: tuple[int, ...] = ()
    basis: LatentBasis = LatentBasis.MEL
    calibration: str = ""
    is_unscaled: bool = False


@dataclass(frozen=True, slots=True)
class LatentCalibration:
    """Mean and standard deviation by which a server scaled initial latents.

    Attributes:
        name: Its name.
        digest: SHA-256 over its files, hexadecimal.
        clip_count: Clips that it was computed from.
    """

    name: str
    digest: str
    clip_count: int
