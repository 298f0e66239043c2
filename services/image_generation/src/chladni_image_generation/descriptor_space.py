"""Tensors of descriptor embeddings, whose components `chladni_contract.descriptor_space` names."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from chladni_contract.descriptor_space import (
    COMPONENT_NAMES,
    DESCRIPTOR_NAMES,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
    UNDECIDED,
)

_UNDECIDED_NAMES: Final = ("mode", "pitch_height", "tonal_x", "tonal_y")


def silence() -> Tensor:
    """Return the (152,) embedding of digital silence: all 0, but 0.5 if nothing can be said either way."""
    return torch.tensor([UNDECIDED if name.endswith(_UNDECIDED_NAMES) else 0.0 for name in COMPONENT_NAMES])


def course_of(embedding: Tensor) -> Tensor:
    """Return the course within (B, 152) embeddings, as (B, segments, features)."""
    return embedding[:, len(DESCRIPTOR_NAMES) :].reshape(-1, TEMPORAL_SEGMENTS, len(TEMPORAL_FEATURES))


def course_at(course: Tensor, positions: Tensor, *, centres: Tensor | None = None) -> Tensor:
    """Return the course at any moments, smoothly interpolated.

    Args:
        course: (B, segments, K).
        positions: (P,) moments as shares of the duration; before 0 and after 1 the ends go on.
        centres: (segments,) increasing centres of the segments as shares, a sixteenth of the duration
            apart; `None` if the sixteen segments fill the duration. Before the first and after the last one
            the ends go on.

    Returns:
        (B, P, K): means of the segments, weighted by a Gaussian of 0.7 segments around each moment.
    """
    if centres is None:
        centres = (torch.arange(TEMPORAL_SEGMENTS, device=positions.device) + 0.5) / TEMPORAL_SEGMENTS
        inside = positions.clamp(0.5 / TEMPORAL_SEGMENTS, 1 - 0.5 / TEMPORAL_SEGMENTS)
    else:
        inside = positions.clamp(float(centres[0]), float(centres[-1]))
    distance = (inside[:, None] - centres) * TEMPORAL_SEGMENTS / 0.7
    weights = torch.softmax(-0.5 * distance**2, dim=1)
    return torch.einsum("ps,bsk->bpk", weights, course)
