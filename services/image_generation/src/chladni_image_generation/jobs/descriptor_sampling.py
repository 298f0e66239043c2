"""Descriptor embeddings to draw pictures for: uniform ones, and ones that resemble real sounds."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from chladni_image_generation.conditioning import DESCRIPTOR_COUNT, DESCRIPTOR_NAMES

_INDEX = {name: position for position, name in enumerate(DESCRIPTOR_NAMES)}
_CHROMA = slice(_INDEX["chroma_c"], DESCRIPTOR_COUNT)

_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""Key profiles of Krumhansl & Kessler (1982), from C."""


def silence() -> Tensor:
    """(24,) embedding of digital silence: all 0, mode and pitch height undecided at 0.5."""
    embedding = torch.zeros(DESCRIPTOR_COUNT)
    embedding[_INDEX["mode"]] = embedding[_INDEX["pitch_height"]] = 0.5
    return embedding


def sample_descriptors(count: int, *, seed: int) -> Tensor:
    """(count, 24) embeddings in [0, 1]: row i depends on the seed and on i alone.

    Half are uniform in each component, so that every corner of the space is seen; the others are
    correlated as in music, speech, percussion and noise; two in a hundred are silence.
    """
    rows = []
    for row in range(count):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + row)
        kind = _kind_at(float(torch.rand((), generator=generator)))
        rows.append(kind(generator).clamp(0, 1))
    return torch.stack(rows)


def _kind_at(position: float) -> Callable[[Generator], Tensor]:
    """The kind of sound whose share of [0, 1) holds this position."""
    shares: tuple[tuple[float, Callable[[Generator], Tensor]], ...] = (
        (0.50, _uniform),
        (0.22, _music),
        (0.11, _speech),
        (0.08, _percussion),
        (0.07, _noise),
    )
    for share, kind in shares:
        position -= share
        if position < 0:
            return kind
    return _silence


def _silence(_: Generator) -> Tensor:
    return silence()


def _uniform(generator: Generator) -> Tensor:
    embedding = torch.rand(DESCRIPTOR_COUNT, generator=generator)
    embedding[_CHROMA] = _chroma(generator)
    return embedding


def _music(generator: Generator) -> Tensor:
    embedding = _uniform(generator)
    draw = torch.rand(3, generator=generator)
    embedding[_INDEX["harmonicity"]] = 0.5 + 0.5 * draw[0]
    embedding[_INDEX["flatness"]] = 0.45 * draw[1]
    embedding[_INDEX["roughness"]] *= 0.7
    major = bool(draw[2] < 0.5)
    embedding[_INDEX["mode"]] = 0.5 + (0.5 if major else -0.5) * (0.3 + 0.7 * draw[0])
    embedding[_CHROMA] = _key_chroma(generator, major=major)
    return embedding


def _speech(generator: Generator) -> Tensor:
    embedding = _uniform(generator)
    draw = torch.rand(6, generator=generator)
    embedding[_INDEX["dynamics"]] = 0.5 + 0.5 * draw[0]
    embedding[_INDEX["onset_rate"]] = 0.35 + 0.5 * draw[1]
    embedding[_INDEX["pitch_height"]] = 0.15 + 0.5 * draw[2]
    embedding[_INDEX["pitch_range"]] = 0.3 + 0.6 * draw[3]
    embedding[_INDEX["harmonicity"]] = 0.25 + 0.4 * draw[4]
    embedding[_INDEX["mode"]] = 0.35 + 0.3 * draw[5]
    embedding[_CHROMA] = 0.35 + 0.65 * torch.rand(12, generator=generator)
    embedding[_CHROMA] /= embedding[_CHROMA].max()
    return embedding


def _percussion(generator: Generator) -> Tensor:
    embedding = _unpitched(generator)
    draw = torch.rand(4, generator=generator)
    embedding[_INDEX["onset_rate"]] = 0.5 + 0.5 * draw[0]
    embedding[_INDEX["dynamics"]] = 0.6 + 0.4 * draw[1]
    embedding[_INDEX["roughness"]] = 0.4 + 0.6 * draw[2]
    embedding[_INDEX["flatness"]] = 0.3 + 0.6 * draw[3]
    return embedding


def _noise(generator: Generator) -> Tensor:
    embedding = _unpitched(generator)
    draw = torch.rand(4, generator=generator)
    embedding[_INDEX["flatness"]] = 0.6 + 0.4 * draw[0]
    embedding[_INDEX["dynamics"]] = 0.3 * draw[1]
    embedding[_INDEX["onset_rate"]] = 0.4 * draw[2]
    embedding[_INDEX["harmonicity"]] = 0.2 * draw[3]
    return embedding


def _unpitched(generator: Generator) -> Tensor:
    """Sound without pitch: no height, no range, no mode, no chroma, little harmonicity."""
    embedding = torch.rand(DESCRIPTOR_COUNT, generator=generator)
    embedding[_INDEX["pitch_height"]] = embedding[_INDEX["mode"]] = 0.5
    embedding[_INDEX["pitch_range"]] = 0
    embedding[_INDEX["harmonicity"]] *= 0.35
    embedding[_CHROMA] = 0
    return embedding


def _chroma(generator: Generator) -> Tensor:
    """A few strong pitch classes over a floor, or none at all in one case of eight."""
    draw = torch.rand(2, generator=generator)
    if draw[0] < 0.125:
        return torch.zeros(12)
    sharpness = 0.5 + 6 * draw[1]
    energy = torch.rand(12, generator=generator) ** sharpness
    return energy / energy.max()


def _key_chroma(generator: Generator, *, major: bool) -> Tensor:
    profile = torch.tensor(_MAJOR_PROFILE if major else _MINOR_PROFILE)
    draw = torch.rand(2, generator=generator)
    profile = (profile - profile.min() + 0.2) ** (0.7 + 2 * draw[0])
    energy = profile.roll(int(draw[1] * 12)) * (0.5 + torch.rand(12, generator=generator))
    return energy / energy.max()
