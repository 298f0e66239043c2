"""Contact sheets: what the model was taught, what it learned, and what each descriptor does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_NAMES, TEMPORAL_SEGMENTS
from chladni_image_generation.descriptor_space import silence
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.training.data.art import render_each
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.reports.sampling import (
    ImageModel,
    SamplingDefaults,
    initial_noise,
    sample_images,
)

_SHEET_SEED = 77_000_000
_THUMBNAIL_PIXELS = 256
_VARIED = DESCRIPTOR_NAMES[: DESCRIPTOR_NAMES.index("chroma_c")]


def write_comparison_sheet(
    model: ImageModel,
    path: Path,
    *,
    pairs: int,
    defaults: SamplingDefaults,
) -> None:
    """Return pairs of rendered art and of a sample for the same descriptors and noise; silence first."""
    embedding = sample_descriptors(pairs, seed=_SHEET_SEED)
    embedding[0] = silence()
    noise = initial_noise([_SHEET_SEED + row for row in range(pairs)], defaults.size_pixels)
    samples = sample_images(model, embedding, noise, defaults)
    art = render_each(embedding, grids_of_noise(noise), size_pixels=defaults.size_pixels)
    tiles = torch.stack([art, samples], dim=1).flatten(0, 1)
    write_grid(tiles, path, columns=8)


def write_variation_sheet(
    model: ImageModel,
    path: Path,
    *,
    levels: int,
    defaults: SamplingDefaults,
) -> None:
    """Return a row for each calibrated descriptor, which grows from 0 to 1 while all else stands still."""
    tiles = []
    for row, name in enumerate(_VARIED):
        embedding = typical_embedding().repeat(levels, 1)
        embedding[:, COMPONENT_NAMES.index(name)] = torch.linspace(0, 1, levels)
        noise = initial_noise([_SHEET_SEED + row] * levels, defaults.size_pixels)
        tiles.append(sample_images(model, embedding, noise, defaults))
    write_grid(torch.cat(tiles), path, columns=levels)


def typical_embedding() -> Tensor:
    """Return the (152,) embedding of an ordinary tonal sound around A minor that swells and dies away."""
    values = dict.fromkeys(COMPONENT_NAMES, 0.5)
    values |= dict.fromkeys(DESCRIPTOR_NAMES[len(_VARIED) :], 0.0)
    values |= {"chroma_a": 1.0, "chroma_c": 0.7, "chroma_e": 0.8, "chroma_d": 0.3}
    values |= {"flatness": 0.3, "harmonicity": 0.6}
    for segment in range(TEMPORAL_SEGMENTS):
        swell = math.sin(math.pi * (segment + 0.5) / TEMPORAL_SEGMENTS)
        values[f"course_{segment:02}_level"] = 0.4 + 0.6 * swell
        values[f"course_{segment:02}_pitch_height"] = 0.35 + 0.3 * swell
        values[f"course_{segment:02}_onset"] = 0.5 * (segment % 3 == 0)
    return torch.tensor([values[name] for name in COMPONENT_NAMES])


def write_grid(images: Tensor | Sequence[Tensor], path: Path, *, columns: int) -> None:
    """Lay (N, 3, H, W) images out in rows of thumbnails and save them as a PNG."""
    tiles = images if isinstance(images, Tensor) else torch.stack(list(images))
    if tiles.shape[-1] > _THUMBNAIL_PIXELS:
        tiles = functional.interpolate(tiles, size=_THUMBNAIL_PIXELS, mode="area")
    rows = [torch.cat(list(row), dim=2) for row in torch.split(tiles, columns)]
    width = rows[0].shape[2]
    rows = [functional.pad(row, (0, width - row.shape[2])) for row in rows]
    sheet = (torch.cat(rows, dim=1).permute(1, 2, 0) * 255).round().byte()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet.numpy()).save(path)
