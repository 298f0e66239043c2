"""How a descriptor embedding of a sound becomes the two conditions of the embedded UNet.

The embedding is a vector of 24 components in [0, 1]. Each component is expanded by a fixed bank of
Fourier features (Tancik et al. 2020, "Fourier features let networks learn high frequency functions
in low dimensional domains"), because a convolutional denoiser learns slowly from raw scalars. The
features reach the UNet twice:

* as ``class_labels``: all of them in one vector, which the UNet's own projection
  (``class_embed_type="projection"``) adds to its timestep embedding, and
* as ``encoder_hidden_states``: one token per group of related components, which the UNet's own
  text projection (``encoder_hid_dim_type="text_proj"``) brings to its cross-attention width.

Nothing here is learned and nothing is random: the same embedding gives the same floats.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

DESCRIPTOR_SPACE = "chladni-descriptors-v1"

DESCRIPTOR_NAMES: tuple[str, ...] = (
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
DESCRIPTOR_COUNT = len(DESCRIPTOR_NAMES)

TOKEN_GROUPS: tuple[tuple[str, ...], ...] = (
    ("loudness", "dynamics", "onset_rate", "tempo"),
    ("brightness", "bandwidth", "flatness", "roughness"),
    ("pitch_height", "pitch_range", "harmonicity", "mode"),
    ("chroma_c", "chroma_c_sharp", "chroma_d", "chroma_d_sharp"),
    ("chroma_e", "chroma_f", "chroma_f_sharp", "chroma_g"),
    ("chroma_g_sharp", "chroma_a", "chroma_a_sharp", "chroma_b"),
)
"""The components that each cross-attention token speaks of: level and rhythm, timbre, pitch, chroma."""

FOURIER_FREQUENCIES = 3
FEATURES_PER_COMPONENT = 1 + 2 * FOURIER_FREQUENCIES

_ALIGNMENT = 16
"""Widths are rounded up to a multiple of this: where a row of a matrix does not begin on a vector's
boundary, its product rounds differently from that of the row before, so that a picture would depend on
its place in the batch."""


def _aligned(width: int) -> int:
    return math.ceil(width / _ALIGNMENT) * _ALIGNMENT


TOKEN_COUNT = len(TOKEN_GROUPS)
TOKEN_DIMENSION = _aligned(max(map(len, TOKEN_GROUPS)) * FEATURES_PER_COMPONENT + TOKEN_COUNT + 1)
"""Features of a token's components, the token's one-hot position, the presence flag, and zeros."""

CLASS_LABEL_DIMENSION = _aligned(DESCRIPTOR_COUNT * FEATURES_PER_COMPONENT + 1)
"""Features of all components, the presence flag, and zeros."""


@dataclass(frozen=True)
class Condition:
    """What ``UNet2DConditionModel.forward`` takes beside the latents and the timestep.

    Attributes:
        class_labels: float32 (B, ``CLASS_LABEL_DIMENSION``), in [-1, 1].
        encoder_hidden_states: float32 (B, ``TOKEN_COUNT``, ``TOKEN_DIMENSION``), in [-1, 1].
    """

    class_labels: Tensor
    encoder_hidden_states: Tensor


def encode_condition(embedding: Tensor, *, present: Tensor | None = None) -> Condition:
    """Expand descriptor embeddings into the UNet's conditions.

    Args:
        embedding: (B, 24) floats in [0, 1], components ordered as ``DESCRIPTOR_NAMES``.
        present: optional bool (B,); a False row becomes the null condition. Absent means all True.

    Raises:
        ValueError: the shape is not (B, 24), or a component is not finite or outside [0, 1].
    """
    _check(embedding)
    batch_size = embedding.shape[0]
    flag = torch.ones(batch_size, 1) if present is None else present.float().reshape(batch_size, 1)
    flag = flag.to(embedding.device)
    features = _fourier_features(embedding.float()) * flag[:, :, None]

    class_labels = torch.cat([features.flatten(1), flag], dim=1)
    group_indices = torch.tensor(
        [[DESCRIPTOR_NAMES.index(name) for name in group] for group in TOKEN_GROUPS],
        device=embedding.device,
    )
    grouped = features[:, group_indices].flatten(2)
    positions = torch.eye(TOKEN_COUNT, device=embedding.device).expand(batch_size, -1, -1)
    flags = flag[:, None, :].expand(-1, TOKEN_COUNT, -1)
    tokens = torch.cat([grouped, positions, flags], dim=2)
    return Condition(_zero_padded(class_labels, CLASS_LABEL_DIMENSION), _zero_padded(tokens, TOKEN_DIMENSION))


def null_condition(batch_size: int) -> Condition:
    """The condition that says nothing, for classifier-free guidance (Ho & Salimans 2022)."""
    return encode_condition(
        torch.zeros(batch_size, DESCRIPTOR_COUNT),
        present=torch.zeros(batch_size, dtype=torch.bool),
    )


def _zero_padded(features: Tensor, width: int) -> Tensor:
    return functional.pad(features, (0, width - features.shape[-1]))


def _fourier_features(embedding: Tensor) -> Tensor:
    """(B, 24) -> (B, 24, ``FEATURES_PER_COMPONENT``): the value itself, then sines and cosines."""
    octaves = 2.0 ** torch.arange(FOURIER_FREQUENCIES, device=embedding.device)
    angles = embedding[:, :, None] * (math.pi / 2) * octaves
    centred = 2 * embedding[:, :, None] - 1
    return torch.cat([centred, torch.sin(angles), torch.cos(angles)], dim=2)


def _check(embedding: Tensor) -> None:
    if embedding.ndim != 2 or embedding.shape[1] != DESCRIPTOR_COUNT:
        raise ValueError(
            f"a descriptor embedding has shape (batch, {DESCRIPTOR_COUNT}), not {tuple(embedding.shape)}"
        )
    if not torch.isfinite(embedding).all():
        raise ValueError("a descriptor embedding holds finite numbers only")
    if embedding.numel() and (embedding.min() < 0 or embedding.max() > 1):
        raise ValueError("every component of a descriptor embedding lies in [0, 1]")
