"""The space of descriptor embeddings that this family of models is conditioned on.

An embedding is one vector in [0, 1]: descriptors of the sound as a whole, then its course, which is
the same few features in each of a number of equal segments of time, segment by segment.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

DESCRIPTOR_SPACE: Final = "chladni-descriptors-v2"

GLOBAL_NAMES: Final = (
    "loudness",
    "dynamics",
    "brightness",
    "bandwidth",
    "flatness",
    "roughness",
    "onset_rate",
    "tempo",
    "pitch_height",
    "pitch_range",
    "harmonicity",
    "mode",
    "chroma_c",
    "chroma_c_sharp",
    "chroma_d",
    "chroma_d_sharp",
    "chroma_e",
    "chroma_f",
    "chroma_f_sharp",
    "chroma_g",
    "chroma_g_sharp",
    "chroma_a",
    "chroma_a_sharp",
    "chroma_b",
)
COURSE_SEGMENTS: Final = 16
COURSE_FEATURES: Final = (
    "level",
    "brightness",
    "flatness",
    "onset",
    "pitch_height",
    "harmonicity",
    "tonal_x",
    "tonal_y",
)
COMPONENT_NAMES: Final = GLOBAL_NAMES + tuple(
    f"course_{segment:02}_{feature}" for segment in range(COURSE_SEGMENTS) for feature in COURSE_FEATURES
)
COMPONENT_COUNT: Final = len(COMPONENT_NAMES)

UNDECIDED: Final = 0.5
_UNDECIDED_NAMES: Final = ("mode", "pitch_height", "tonal_x", "tonal_y")


def silence() -> Tensor:
    """Return the (152,) embedding of digital silence: all 0, but 0.5 where nothing can be said either way."""
    return torch.tensor([UNDECIDED if name.endswith(_UNDECIDED_NAMES) else 0.0 for name in COMPONENT_NAMES])


def course_of(embedding: Tensor) -> Tensor:
    """Return the course within (B, 152) embeddings, as (B, segments, features)."""
    return embedding[:, len(GLOBAL_NAMES) :].reshape(-1, COURSE_SEGMENTS, len(COURSE_FEATURES))


def course_at(course: Tensor, positions: Tensor) -> Tensor:
    """Return the course at any moments, smoothly interpolated.

    Args:
        course: (B, segments, K).
        positions: (P,) moments as shares of the duration; before 0 and after 1 the ends go on.

    Returns:
        (B, P, K): means of the segments, weighted by a Gaussian of 0.7 segments around each moment.
    """
    centres = (torch.arange(COURSE_SEGMENTS, device=positions.device) + 0.5) / COURSE_SEGMENTS
    inside = positions.clamp(0.5 / COURSE_SEGMENTS, 1 - 0.5 / COURSE_SEGMENTS)
    distance = (inside[:, None] - centres) * COURSE_SEGMENTS / 0.7
    weights = torch.softmax(-0.5 * distance**2, dim=1)
    return torch.einsum("ps,bsk->bpk", weights, course)
