"""How a descriptor embedding of a sound becomes the conditions of the embedded UNet.

It reaches the UNet twice:

* as ``class_labels``: the components of the whole sound and the image's parameters in one vector, which
  the UNet's own projection (``class_embed_type="projection"``) adds to its timestep embedding, and
* as the guide: planes under the latents that show where things stand, and with them the course (`guide`).

Components are expanded by a fixed bank of Fourier features (Tancik et al. 2020, "Fourier features let
networks learn high frequency functions in low dimensional domains"), because a convolutional denoiser
learns slowly from raw scalars. Nothing here is learned and nothing is random: the same embedding gives
the same floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_NAMES
from chladni_image_generation.families.embedded.correspondences import (
    PARAMETER_COUNT,
    ImageParameters,
    parameters_from_descriptors,
)
from chladni_image_generation.families.embedded.guide import draw_guide
from chladni_image_generation.families.embedded.moving import MovingScene
from chladni_image_generation.families.embedded.noise_grid import GRID_CHANNELS, GRID_SIZE

FOURIER_FREQUENCIES: Final = 3
FEATURES_PER_COMPONENT: Final = 1 + 2 * FOURIER_FREQUENCIES

_ALIGNMENT: Final = 16
"""Widths are rounded up to a multiple of this: if a row of a matrix does not begin on a vector's
boundary, its product rounds differently from that of the row before, so that an image would depend on
its place in the batch."""


def _aligned(width: int) -> int:
    return math.ceil(width / _ALIGNMENT) * _ALIGNMENT


CLASS_LABEL_DIMENSION: Final = _aligned(len(DESCRIPTOR_NAMES) * FEATURES_PER_COMPONENT + PARAMETER_COUNT + 1)
"""Features of the global components, the image's parameters, the presence flag, and zeros."""


@dataclass(frozen=True)
class Condition:
    """What the UNet takes beside the latents and the timestep.

    Attributes:
        class_labels: float32 (B, ``CLASS_LABEL_DIMENSION``).
        guide: float32 (B, ``GUIDE_CHANNELS``, h, w), to be stacked under the latents.
    """

    class_labels: Tensor
    guide: Tensor


def encode_condition(
    embedding: Tensor, grids: Tensor, *, height: int, width: int, present: Tensor | None = None
) -> Condition:
    """Expand descriptor embeddings into the UNet's conditions.

    Args:
        embedding: (B, 152) floats in [0, 1], components ordered as ``COMPONENT_NAMES``.
        grids: (B, 4, 8, 8), what the noise decides (`noise_grid`).
        height: Height of the latents.
        width: Their width.
        present: optional bool (B,); a False row becomes the null condition. Absent means all True.

    Raises:
        ValueError: the shape is not (B, 152), or a component is not finite or outside [0, 1].
    """
    _check(embedding)
    batch_size = embedding.shape[0]
    flag = torch.ones(batch_size, 1) if present is None else present.float().reshape(batch_size, 1)
    embedding, flag = embedding.float(), flag.to(embedding.device)
    overall = _fourier_features(embedding[:, : len(DESCRIPTOR_NAMES)])
    parameters = parameters_from_descriptors(embedding)

    return Condition(
        class_labels=_class_labels(overall, parameters, flag),
        guide=draw_guide(parameters, grids, height=height, width=width) * flag[:, :, None, None],
    )


def encode_moving_condition(
    embedding: Tensor, scene: MovingScene, grids: Tensor, *, height: int, width: int
) -> Condition:
    """Expand one frame of a moving sound into the UNet's conditions.

    Args:
        embedding: (1, 152) floats in [0, 1]; the course in it gives way to the scene's.
        scene: What is seen at the moment of the frame, of the same embedding.
        grids: (1, 4, 8, 8), what the noise decides.
        height: Height of the latents.
        width: Their width.

    Raises:
        ValueError: As `encode_condition`.
    """
    _check(embedding)
    overall = _fourier_features(embedding.float()[:, : len(DESCRIPTOR_NAMES)])
    guide = draw_guide(scene.parameters, grids, height=height, width=width, placement=scene.placement)
    return Condition(_class_labels(overall, scene.parameters, torch.ones(1, 1)), guide)


def null_condition(batch_size: int, *, height: int, width: int) -> Condition:
    """Return the condition that says nothing, for classifier-free guidance (Ho & Salimans 2022)."""
    return encode_condition(
        torch.zeros(batch_size, COMPONENT_COUNT),
        torch.zeros(batch_size, GRID_CHANNELS, GRID_SIZE, GRID_SIZE),
        height=height,
        width=width,
        present=torch.zeros(batch_size, dtype=torch.bool),
    )


def _class_labels(overall: Tensor, parameters: ImageParameters, flag: Tensor) -> Tensor:
    """Return (B, ``CLASS_LABEL_DIMENSION``); 0 in rows whose (B, 1) flag is 0."""
    class_labels = torch.cat([overall.flatten(1), parameters.as_vectors()], dim=1) * flag
    return _zero_padded(torch.cat([class_labels, flag], dim=1), CLASS_LABEL_DIMENSION)


def _zero_padded(features: Tensor, width: int) -> Tensor:
    return functional.pad(features, (0, width - features.shape[-1]))


def _fourier_features(components: Tensor) -> Tensor:
    """Expand (B, K) to (B, K, ``FEATURES_PER_COMPONENT``): the value from -1 to 1, sines and cosines."""
    octaves = 2.0 ** torch.arange(FOURIER_FREQUENCIES, device=components.device)
    angles = components[:, :, None] * (math.pi / 2) * octaves
    centred = 2 * components[:, :, None] - 1
    return torch.cat([centred, torch.sin(angles), torch.cos(angles)], dim=2)


def _check(embedding: Tensor) -> None:
    if embedding.ndim != 2 or embedding.shape[1] != COMPONENT_COUNT:
        raise ValueError(
            f"a descriptor embedding has shape (batch, {COMPONENT_COUNT}), not {tuple(embedding.shape)}"
        )
    if not torch.isfinite(embedding).all():
        raise ValueError("a descriptor embedding holds finite numbers only")
    if embedding.numel() and (embedding.min() < 0 or embedding.max() > 1):
        raise ValueError("every component of a descriptor embedding lies in [0, 1]")
