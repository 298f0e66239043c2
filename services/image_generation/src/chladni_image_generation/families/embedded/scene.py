"""Where the things of a sound stand in an image: fields over the plane.

The same formulas serve twice. The art that the model learns from is painted over these fields, bent
by noise; and the denoiser is given them, bent alike, as the guide beside its latents (`guide`). So it
need not learn where a ridge of this sound runs, but only how to paint one.

Time runs from left to right, and in rings from the centre outwards. The noise bends the plane of the scene by
smooth fields through its grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from chladni_contract.descriptor_space import TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_image_generation.descriptor_space import course_at
from chladni_image_generation.families.embedded.correspondences import ImageParameters
from chladni_image_generation.families.embedded.fields import (
    ALL_ROWS,
    grid_field,
    pixel_grid,
    plane,
    smooth_step,
)

RIDGE_COUNT: Final = 4

_MODES: Final = (
    (0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4), (1, 5), (2, 5),
)  # fmt: skip
"""Orders of the mode that each pitch class excites, from C: higher notes, higher modes."""

_RIDGE_FEATURES: Final = ("brightness", "pitch_height", "level", "onset")
_TABLE_MOMENTS: Final = 256
_RING_REACH: Final = 1.3
"""Distance from the focus, in half images, at which the rings have come to the end of the sound."""

_BLURS: Final = (1.2, 1.2, 0.9, 0.7)
"""Of the fields that bend the plane to the right and upwards, and of those that gather forms and light."""

_WARP: Final = 0.055
_CLOUD_FREQUENCIES: Final = (0.9, 1.1, 1.6, 1.9, 2.6, 3.1)
_GOLDEN_ANGLE: Final = math.pi * (3 - math.sqrt(5))


_JAG_FREQUENCIES: Final = (4.5, 7.5)
_JAG_PERIOD: Final = 2 / 3
"""Distance after which both triangle waves of a ridge repeat."""


@dataclass(frozen=True)
class Placement:
    """Where the segments of a moving course stand, the same for each of B sounds.

    Attributes:
        centres: (S,) increasing centres as shares of the image's width; some stand outside.
        numbers: Which segment each of the S is, counted from the beginning of the audio.
        means: (B, features) what a feature is like on the whole.
        growth: (S,) factor on the radius of each segment's body.
        drift: How many widths of the image the course has moved on by.
    """

    centres: Tensor
    numbers: Sequence[int]
    means: Tensor
    growth: Tensor
    drift: float

    def jag_offset(self, half_width: float) -> float:
        """Return how far the teeth of the ridges have moved on, within their period."""
        return math.fmod(2 * half_width * self.drift, _JAG_PERIOD)


@dataclass(frozen=True)
class Scene:
    """Fields of (B, H, W), or (B, K, H, W) if K things or features are stacked.

    Attributes:
        across: horizontal distance from the focus.
        above: vertical distance from the focus, upwards.
        course: the features of the moment that the horizontal position stands for.
        ring_course: the features of the moment that the distance from the focus stands for.
        ring_phase: phase of the rings, in cycles.
        figure: displacement of the plate, about 1 at most; sand lies where it is 0.
        ridges: height above each ridge, the farthest first; negative below it.
        ribbon: height above the ribbon, in widths of it.
        cells: a hexagonal lattice: 1 at the centres of the cells, near -0.5 at their borders.
        bodies: 1 at the centre of a body, 0 at its edge, negative outside, at least -3.
    """

    across: Tensor
    above: Tensor
    course: Tensor
    ring_course: Tensor
    ring_phase: Tensor
    figure: Tensor
    ridges: Tensor
    ribbon: Tensor
    cells: Tensor
    bodies: Tensor


def lay_out(
    parameters: ImageParameters,
    x: Tensor,
    y: Tensor,
    *,
    half_width: float = 1.0,
    placement: Placement | None = None,
) -> Scene:
    """Evaluate all fields of B sounds.

    Args:
        parameters: what the sounds decide.
        x: (B, H, W) coordinates to the right; the sound lasts from -half_width to half_width.
        y: (B, H, W) coordinates upwards.
        half_width: of the image; a square one has 1.
        placement: where the segments of a moving course stand; `None` if sixteen fill the image. A moving
            sound flows from the right edge to the left one, and in rings from the focus outwards.
    """
    across, above = x, y - plane(0.6 * parameters.mass_y)
    radius = (across**2 + above**2 + 1e-4).sqrt()
    moments = (torch.arange(_TABLE_MOMENTS, device=x.device) + 0.5) / _TABLE_MOMENTS
    table = course_at(parameters.course, moments, centres=placement.centres if placement else None)
    course = _at(table, (x / half_width + 1) / 2)
    ring_moments = radius / _RING_REACH
    ring_course = _at(table, 1 - ring_moments if placement else ring_moments)
    figure = _figure(parameters, across, above)
    return Scene(
        across=across,
        above=above,
        course=course,
        ring_course=ring_course,
        ring_phase=plane(parameters.band_frequency) * (radius + 0.10 * figure),
        figure=figure,
        ridges=_ridges(
            parameters, course, x + placement.jag_offset(half_width) if placement else x, y, placement
        ),
        ribbon=_ribbon(parameters, course, y, placement),
        cells=_cells(parameters, x, y),
        bodies=_bodies(parameters, x, y, half_width, placement),
    )


def noise_fields(grids: Tensor, height: int, width: int, *, rows: slice = ALL_ROWS) -> Tensor:
    """Return the smooth fields (B, 4, H, W) of unit variance through (B, 4, 8, 8) grids.

    Args:
        grids: what the noise decides.
        height: height of the image in pixels.
        width: its width.
        rows: those that are wanted, from 0 at the top.
    """
    fields = [
        grid_field(grid, height, width, blur=blur, rows=rows)
        for grid, blur in zip(grids.unbind(1), _BLURS, strict=True)
    ]
    return torch.stack(fields, dim=1)


def bent_scene(
    parameters: ImageParameters,
    noise: Tensor,
    *,
    placement: Placement | None = None,
    height: int | None = None,
    rows: slice = ALL_ROWS,
) -> Scene:
    """Return the scene of B sounds on a plane bent by their (B, 4, H, W) noise fields.

    Domain warping follows Quilez (2002), "Domain warping".

    Args:
        parameters: what the sounds decide.
        noise: the fields.
        placement: where the segments of a moving course stand, as in `lay_out`.
        height: height of the image in pixels, if the fields are those of some of its rows.
        rows: these rows, from 0 at the top.
    """
    width = noise.shape[3]
    height = height or noise.shape[2]
    x, y = (axis.to(noise.device) for axis in pixel_grid(len(noise), height, width, rows=rows))
    half_width = max(width / height, 1.0)
    return lay_out(
        parameters,
        x + _WARP * noise[:, 0],
        y + _WARP * noise[:, 1],
        half_width=half_width,
        placement=placement,
    )


def gather_clouds(x: Tensor, y: Tensor, noise: Tensor) -> Tensor:
    """Return waves of rising frequency in turning directions, whose phases follow the noise."""
    total = torch.zeros_like(x)
    for index, frequency in enumerate(_CLOUD_FREQUENCIES):
        cosine, sine = math.cos(index * _GOLDEN_ANGLE), math.sin(index * _GOLDEN_ANGLE)
        along = 2 * math.pi * frequency * (cosine * x + sine * y)
        octave = 0.6 ** (index // 2)
        total = total + octave * torch.sin(along + 2.0 * noise[:, index % noise.shape[1]] + 0.6 * total)
    return total * 0.5


def feature(course: Tensor, name: str) -> Tensor:
    """Return one feature of a stack of (B, features, ...), as (B, ...)."""
    return course[:, TEMPORAL_FEATURES.index(name)]


def _at(table: Tensor, positions: Tensor) -> Tensor:
    """Return (B, K, H, W) values of a (B, P, K) table at (B, H, W) positions in [0, 1], interpolated."""
    where = torch.stack([positions * 2 - 1, torch.zeros_like(positions)], dim=3)
    rows = table.transpose(1, 2)[:, :, None, :]
    return functional.grid_sample(rows, where, padding_mode="border", align_corners=False)


def _figure(parameters: ImageParameters, across: Tensor, above: Tensor) -> Tensor:
    """Superpose modes of a square plate, cos(m u) cos(n v) + s cos(n u) cos(m v) each.

    Chladni (1787) found the figures and Ritz (1909) this approximation of them. Orders need not be
    whole: the plate is as large as the register of the sound makes it.
    """
    orders = 1 + max(max(mode) for mode in _MODES)
    along_u = _cosines(math.pi * plane(parameters.plate_scale) * across, orders)
    along_v = _cosines(math.pi * plane(parameters.plate_scale) * above, orders)
    total = torch.zeros_like(across)
    for (m, n), weight in zip(_MODES, parameters.plate_weights.unbind(1), strict=True):
        mode = along_u[m] * along_v[n] + plane(parameters.plate_sign) * along_u[n] * along_v[m]
        total = total + plane(weight) * mode
    return total * 0.6


def _cosines(angle: Tensor, count: int) -> list[Tensor]:
    """Return cos(k angle) for k below count, by Chebyshev's recurrence."""
    values = [torch.ones_like(angle), angle.cos()]
    while len(values) < count:
        values.append(2 * values[1] * values[-1] - values[-2])
    return values


def _ridges(
    parameters: ImageParameters, course: Tensor, x: Tensor, y: Tensor, placement: Placement | None
) -> Tensor:
    """Return silhouettes that follow a feature each; where the landscape has no share they sink."""
    ridges = []
    for index, name in enumerate(_RIDGE_FEATURES):
        rise = (0.16 + 0.9 * parameters.swing) * (1 + 0.15 * index)
        base = 0.75 * parameters.mass_y + 0.22 - 0.27 * index - 0.75 * (1 - parameters.ridge_share)
        coarse, fine = (frequency * x for frequency in _JAG_FREQUENCIES)
        jagged = _triangle(coarse + 0.37 * index) + 0.6 * _triangle(fine + 0.61 * index)
        silhouette = plane(base) + plane(rise) * (_emphasised(parameters, course, name, placement) - 0.5)
        ridges.append(y - silhouette - 0.055 * plane(parameters.jag) * jagged)
    return torch.stack(ridges, dim=1)


def _emphasised(
    parameters: ImageParameters, course: Tensor, name: str, placement: Placement | None
) -> Tensor:
    """Return a feature whose changes show more than its mean does."""
    index = TEMPORAL_FEATURES.index(name)
    mean = plane(placement.means[:, index] if placement else parameters.course[:, :, index].mean(dim=1))
    return 0.5 + 0.7 * (mean - 0.5) + 1.8 * (feature(course, name) - mean)


def _triangle(cycles: Tensor) -> Tensor:
    """Return a triangle wave of unit amplitude."""
    return 4 * (cycles - (cycles + 0.5).floor()).abs() - 1


def _ribbon(parameters: ImageParameters, course: Tensor, y: Tensor, placement: Placement | None) -> Tensor:
    height = plane(0.35 * parameters.mass_y) + (0.45 + plane(parameters.swing)) * (
        _emphasised(parameters, course, "pitch_height", placement) - 0.45
    )
    width = 0.05 + 0.16 * feature(course, "level")
    return ((y - height) / width).clamp(-6, 6)


def _cells(parameters: ImageParameters, x: Tensor, y: Tensor) -> Tensor:
    """Return three plane waves at angles of 60 degrees: an interference pattern with hexagonal cells."""
    waves = [
        torch.cos(
            2 * math.pi * plane(parameters.cell_frequency) * (math.cos(angle) * x + math.sin(angle) * y)
        )
        for angle in (0.2, 0.2 + math.pi / 3, 0.2 + 2 * math.pi / 3)
    ]
    return torch.stack(waves).mean(dim=0)


def _bodies(
    parameters: ImageParameters, x: Tensor, y: Tensor, half_width: float, placement: Placement | None
) -> Tensor:
    """Return a body for each segment in which something begins: when, how bright, how strongly."""
    onsets = parameters.course[:, :, TEMPORAL_FEATURES.index("onset")]
    brightness = parameters.course[:, :, TEMPORAL_FEATURES.index("brightness")]
    pitch = parameters.course[:, :, TEMPORAL_FEATURES.index("pitch_height")]
    strength = (onsets / 0.6).clamp(max=1)
    radii = parameters.body_radius[:, None] * (0.40 + 0.60 * strength**2) * smooth_step(onsets, 0.06, 0.18)
    numbers: Sequence[int] = range(TEMPORAL_SEGMENTS)
    centres = [(segment + 0.5) * 2 / TEMPORAL_SEGMENTS - 1 for segment in numbers]
    if placement:
        radii = radii * placement.growth
        numbers, centres = placement.numbers, (2 * placement.centres - 1).tolist()
    nearest = torch.full_like(x, -3.0)
    for segment, (number, centre) in enumerate(zip(numbers, centres, strict=True)):
        centre_x = half_width * centre
        # Neighbours stand at different heights, or the strokes of a drum would hang on a string.
        swing = 0.22 * math.sin(2.4 * number)
        height = -0.42 + 0.55 * brightness[:, segment] + 0.40 * pitch[:, segment] + swing
        distance = (x - centre_x) ** 2 + (y - plane(height)) ** 2
        nearest = torch.maximum(nearest, 1 - distance / plane(radii[:, segment] ** 2 + 1e-6))
    return nearest
