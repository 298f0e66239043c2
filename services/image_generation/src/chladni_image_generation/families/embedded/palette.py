"""Palettes in OKLab: a ramp from shadow to light whose hues follow the sound.

OKLab (Ottosson 2020, "A perceptual color space for image processing") keeps lightness, hue and
chroma apart, so that each may follow its own descriptor without disturbing the others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ANCHOR_COUNT = 5
FIFTH, SEMITONE = 7, 1

_LMS_FROM_LAB = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_RGB_FROM_LMS = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def srgb_from_oklab(lab: Tensor) -> Tensor:
    """Convert (B, 3, H, W) OKLab to sRGB in [0, 1]; colours outside the gamut are clipped."""
    lms = torch.einsum("ij,bjhw->bihw", lab.new_tensor(_LMS_FROM_LAB), lab) ** 3
    linear = torch.einsum("ij,bjhw->bihw", lab.new_tensor(_RGB_FROM_LMS), lms).clamp(0, 1)
    return torch.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055
    ).clamp(0, 1)


def chroma_phase(chroma: Tensor, *, step: int = FIFTH) -> Tensor:
    """Return the mean direction of (B, 12) pitch-class energies on a circle of pitch classes, as (B, 2).

    Keys a fifth apart share all but one of their notes; on the circle of fifths they are
    neighbours, as they are in Scriabin's colour table (Galeyev & Vanechkina 2001), so related keys
    take related hues. On the circle of semitones neighbours are those that are close in pitch. The two
    together distinguish all pitch classes (Shepard 1982, "Geometrical approximations to the structure of
    musical pitch"). The length of the vector is in [0, 1]: 1 for a single pitch class, 0 for an
    even spread or for no pitch at all.

    Args:
        chroma: (B, 12) energies, from C.
        step: semitones between neighbours on the circle, `FIFTH` or `SEMITONE`.
    """
    positions = (torch.arange(12) * step) % 12
    angles = positions.to(chroma) * (2 * math.pi / 12)
    weights = chroma / chroma.sum(dim=1, keepdim=True).clamp(min=1e-6)
    return torch.stack([(weights * angles.cos()).sum(1), (weights * angles.sin()).sum(1)], dim=1)


def active_pitch_classes(chroma: Tensor) -> Tensor:
    """Return the effective number of sounding pitch classes of (B, 12) energies: exp(entropy), 0 for none."""
    total = chroma.sum(dim=1, keepdim=True)
    weights = chroma / total.clamp(min=1e-6)
    entropy = -(weights * weights.clamp(min=1e-6).log()).sum(dim=1)
    return torch.where(total[:, 0] > 1e-6, entropy.exp(), torch.zeros_like(entropy))


def sample_ramp(anchors: Tensor, position: Tensor) -> Tensor:
    """Return the colours of (B, A, 3) anchors at (B, H, W) positions in [0, 1], as (B, 3, H, W).

    Neighbouring anchors are blended by overlapping raised cosines, so the ramp has no corners.
    """
    count = anchors.shape[1]
    scaled = position.clamp(0, 1) * (count - 1)
    colour = torch.zeros(position.shape[0], 3, *position.shape[1:]).to(position)
    for index in range(count):
        distance = (scaled - index).abs().clamp(max=1)
        weight = 0.5 + 0.5 * torch.cos(math.pi * distance)
        colour += weight[:, None] * anchors[:, index, :, None, None]
    return colour
