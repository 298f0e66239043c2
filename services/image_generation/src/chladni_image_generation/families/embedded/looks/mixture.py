"""Which looks an image has: one, several with a share each, or those that fit the kind of sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES
from chladni_image_generation.families.embedded.looks import (
    crystals,
    plate,
    plate_drawing,
    strokes,
    water,
    weather,
)
from chladni_image_generation.families.embedded.looks.canvas import Canvas
from chladni_image_generation.families.embedded.palette import srgb_from_oklab
from chladni_image_generation.vector_image import VectorImage

LANDSCAPE: Final = "landscape"
"""The look that the denoiser paints; all others are rendered."""

RENDERERS: Final[Mapping[str, Callable[[Canvas], Tensor]]] = MappingProxyType(
    {
        "plate": plate.render,
        "water": water.render,
        "strokes": strokes.render,
        "weather": weather.render,
        "crystals": crystals.render,
    }
)
LOOKS: Final = (LANDSCAPE, *RENDERERS)

DRAWERS: Final[Mapping[str, Callable[[Canvas], VectorImage]]] = MappingProxyType(
    {"plate": plate_drawing.draw}
)
"""Those that are shapes, too: sand, which is discs, on curves."""

_FIELDS: Final = {name: (number % 4, 1.0 if number < 4 else -1.0) for number, name in enumerate(LOOKS)}
"""Which of the noise's four smooth fields, and with which sign, decides where a look has its areas: another
for each look, and the same in every mixture, so that a look that joins with a small share moves no other."""

_LEAST_SHARE: Final = 0.02
_SOFTNESS: Final = 0.22
_SPREAD: Final = 0.95
_SHARPNESS: Final = 9.0
_UNNOTICED: Final = 0.18
_CHROMA_START: Final = DESCRIPTOR_NAMES.index("chroma_c")


def shares_of_audio(embedding: Tensor) -> dict[str, float]:
    """Return how much of each look fits a sound, as continuous functions of its (152,) embedding.

    Clean tones get the plate, soft ones water, voices strokes, noises weather, percussion crystals, and what
    is none of these the landscape.
    """
    named = dict(zip(DESCRIPTOR_NAMES, embedding[: len(DESCRIPTOR_NAMES)].tolist(), strict=True))
    noise, tone, onsets = named["flatness"], named["harmonicity"], named["onset_rate"]
    rough, dull = named["roughness"], 1 - named["brightness"]
    moving = min(1.0, 2.2 * named["pitch_range"])
    voiced = 0.35 + 0.65 * min(1.0, 1.6 * tone)
    clarity = 0.4 + 0.6 * float(embedding[_CHROMA_START : len(DESCRIPTOR_NAMES)].max())
    affinities = {
        LANDSCAPE: 0.42,
        "plate": 1.15 * tone * clarity * (1 - 0.6 * noise) * (1 - 0.5 * onsets) * (1 - 0.3 * rough),
        "water": 1.00 * dull * (1 - onsets) * (0.4 + 0.6 * tone) * (1 - 0.5 * moving),
        "strokes": 1.15 * moving * voiced * (0.15 + 0.85 * rough) * (1 - 0.5 * noise),
        "weather": 1.05 * noise**0.7 * (1 - 0.8 * tone) * (1 - 0.35 * onsets),
        "crystals": 1.10 * onsets**0.7 * (1 - 0.6 * tone) * (1 - 0.4 * moving),
    }
    weights = torch.softmax(_SHARPNESS * torch.tensor(list(affinities.values())), dim=0)
    weights = (weights - _UNNOTICED).clamp(min=0)
    weights = weights / weights.sum()
    return {name: weight for name, weight in zip(affinities, weights.tolist(), strict=True) if weight > 0}


def needs_denoiser(shares: Mapping[str, float]) -> bool:
    """Return whether an image of these looks has a part that the denoiser paints."""
    return shares.get(LANDSCAPE, 0.0) >= _LEAST_SHARE


def render_looks(
    shares: Mapping[str, float],
    embedding: Tensor,
    grids: Tensor,
    *,
    height: int,
    width: int,
    landscape: Tensor,
) -> Tensor:
    """Return the image (3, H, W) in [0, 1] of several looks, each in areas of the size of its share.

    Args:
        shares: Shares by name, which add up to 1.
        embedding: (152,) descriptor embedding.
        grids: (4, 8, 8), what the noise decides.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        landscape: (3, H, W) in [0, 1], what the denoiser painted; without meaning if it has no share.
    """
    canvas = Canvas.of(embedding, grids, height=height, width=width)
    layers, strengths = [], []
    for name, share in shares.items():
        if share < _LEAST_SHARE:
            continue
        if name == LANDSCAPE:
            layers.append(landscape)
        else:
            lab = RENDERERS[name](canvas)
            lab[0].clamp_(0.02, 0.99)
            layers.append(srgb_from_oklab(lab[None])[0])
        field, sign = _FIELDS[name]
        strengths.append(torch.log(torch.tensor(share)) + _SPREAD * sign * canvas.noise[field])
    if len(layers) == 1:
        return layers[0]
    areas = torch.softmax(torch.stack(strengths) / _SOFTNESS, dim=0)
    return (areas[:, None] * torch.stack(layers)).sum(dim=0)
