"""Descriptor embeddings to draw images for: uniform ones, and ones that resemble real sounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_NAMES, TEMPORAL_SEGMENTS
from chladni_image_generation.descriptor_space import silence
from chladni_image_generation.families.embedded.palette import chroma_phase

_INDEX = {name: position for position, name in enumerate(DESCRIPTOR_NAMES)}
_CHROMA = slice(_INDEX["chroma_c"], len(DESCRIPTOR_NAMES))

_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""Key profiles of Krumhansl & Kessler (1982), from C."""


def sample_descriptors(count: int, *, seed: int) -> Tensor:
    """Return (count, 152) embeddings in [0, 1]: row i depends on the seed and on i alone.

    A third are uniform in each global component, so that every corner of the space is seen; the others
    are correlated as in music, speech, percussion and noise; two in a hundred are silence. The course
    wanders around the global components, with an envelope that may swell, decay, pause or pulse.
    """
    rows = []
    for row in range(count):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + row)
        kind = _kind_at(float(torch.rand((), generator=generator)))
        overall = kind(generator).clamp(0, 1)
        rows.append(torch.cat([overall, _course(overall, generator).flatten()]))
        if kind is _silence:
            rows[-1] = silence()
    return torch.stack(rows)


def load_recorded(path: Path) -> Tensor:
    """Load (N, 152) embeddings of audio, as `chladni_audio_features.training.write_embeddings` writes them.

    Raises:
        ValueError: they are embeddings of another space.
    """
    with np.load(path) as archive:
        recorded = torch.from_numpy(archive["embeddings"]).float()
    if recorded.ndim != 2 or recorded.shape[1] != COMPONENT_COUNT:
        raise ValueError(
            f"{path.name} must hold embeddings of shape (N, {COMPONENT_COUNT}), not {tuple(recorded.shape)}"
        )
    return recorded


def vary_recorded(recorded: Tensor, count: int, *, seed: int) -> Tensor:
    """Return (count, 152) embeddings of real sounds, drawn from (N, 152) and moved a little."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(recorded), (count,), generator=generator)
    return (recorded[rows] + 0.02 * torch.randn(count, recorded.shape[1], generator=generator)).clamp(0, 1)


def _kind_at(position: float) -> Callable[[Generator], Tensor]:
    """Return the kind of sound whose share of [0, 1) holds this position."""
    shares: tuple[tuple[float, Callable[[Generator], Tensor]], ...] = (
        (0.34, _uniform),
        (0.29, _music),
        (0.18, _speech),
        (0.09, _percussion),
        (0.08, _noise),
    )
    for share, kind in shares:
        position -= share
        if position < 0:
            return kind
    return _silence


def _silence(_: Generator) -> Tensor:
    return silence()[: len(DESCRIPTOR_NAMES)]


def _uniform(generator: Generator) -> Tensor:
    embedding = torch.rand(len(DESCRIPTOR_NAMES), generator=generator)
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
    """Return a sound without pitch: no height, no range, no mode, no chroma, little harmonicity."""
    embedding = torch.rand(len(DESCRIPTOR_NAMES), generator=generator)
    embedding[_INDEX["pitch_height"]] = embedding[_INDEX["mode"]] = 0.5
    embedding[_INDEX["pitch_range"]] = 0
    embedding[_INDEX["harmonicity"]] *= 0.35
    embedding[_CHROMA] = 0
    return embedding


def _chroma(generator: Generator) -> Tensor:
    """Return a few strong pitch classes over a floor, or none at all in one case of eight."""
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


def _course(overall: Tensor, generator: Generator) -> Tensor:
    """Return (segments, features) course of a sound with these global components."""
    draw = torch.rand(8, generator=generator).tolist()
    level = _envelope(draw[0], overall, generator)
    is_pitched = bool(overall[_CHROMA].amax() > 0) or float(overall[_INDEX["pitch_range"]]) > 0
    wander = [_walk(generator) for _ in range(6)]
    melody = is_pitched * (0.06 + 0.45 * overall[_INDEX["pitch_range"]])
    # What is quiet is known badly, and is said to be as the whole sound is.
    trust = level / (level + 0.05)
    columns = [
        level,
        overall[_INDEX["brightness"]] + 0.22 * draw[1] * 2 * wander[0] * trust,
        overall[_INDEX["flatness"]] + 0.20 * draw[2] * 2 * wander[1] * trust,
        _onsets(overall, level, generator),
        overall[_INDEX["pitch_height"]] + melody * wander[2] * trust,
        overall[_INDEX["harmonicity"]] + 0.18 * draw[3] * 2 * wander[3] * trust,
    ]
    clarity = 0.3 + 0.7 * draw[4]
    centre = torch.atan2(*chroma_phase(overall[_CHROMA][None] ** 2)[0].flip(0))
    angle = centre + 1.6 * draw[5] ** 2 * wander[4]
    tonal = is_pitched * clarity * overall[_CHROMA].amax() * trust
    columns.append(0.5 + 0.5 * tonal * angle.cos())
    columns.append(0.5 + 0.5 * tonal * angle.sin())
    return torch.stack(columns, dim=1).clamp(0, 1)


def _walk(generator: Generator) -> Tensor:
    """Return (segments,) smooth random course of about unit deviation, smoother or livelier by chance."""
    draw = float(torch.rand((), generator=generator))
    noise = torch.randn(TEMPORAL_SEGMENTS + 8, generator=generator)
    width = 0.5 + 2.5 * draw
    kernel = torch.exp(-0.5 * (torch.arange(9.0) - 4) ** 2 / width**2)
    return functional.conv1d(noise[None, None], (kernel / kernel.norm())[None, None])[0, 0]


def _envelope(kind: float, overall: Tensor, generator: Generator) -> Tensor:
    """Return (segments,) level relative to the loudest segment: steady, swelling, dying away, or pulsing."""
    time = (torch.arange(TEMPORAL_SEGMENTS) + 0.5) / TEMPORAL_SEGMENTS
    depth = float(overall[_INDEX["dynamics"]])
    ripple = 0.10 * _walk(generator)
    if kind < 0.35:
        shape = 0.95 - depth * torch.rand(TEMPORAL_SEGMENTS, generator=generator) ** 1.5
    elif kind < 0.5:
        shape = 1 - depth * (1 - time)
    elif kind < 0.65:
        shape = 1 - depth * time
    elif kind < 0.8:
        shape = 1 - depth * (torch.rand(TEMPORAL_SEGMENTS, generator=generator) < 0.35).float()
    else:
        shape = 1 - depth * (0.5 + 0.5 * torch.cos(2 * torch.pi * time * (1 + round(7 * kind * 5) % 5)))
    level = (shape + ripple).clamp(min=0)
    return level / level.amax().clamp(min=1e-3)


def _onsets(overall: Tensor, level: Tensor, generator: Generator) -> Tensor:
    """Return (segments,) strength of onsets: in more segments and stronger, the more of them there are."""
    rate = float(overall[_INDEX["onset_rate"]])
    present = torch.rand(TEMPORAL_SEGMENTS, generator=generator) < 0.05 + 0.95 * rate
    strength = (0.25 + 0.55 * rate + 0.35 * torch.rand(TEMPORAL_SEGMENTS, generator=generator)).clamp(max=1)
    return present * strength * (level / (level + 0.1))
