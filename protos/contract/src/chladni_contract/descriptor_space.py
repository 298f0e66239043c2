"""The space of descriptor embeddings: its name, and what each of its components means.

An embedding is one vector in [0, 1]: descriptors of the audio as a whole, then its temporal profile, which is
the same few features in each of a number of equal segments of time, segment by segment. What is absent has a
fixed value: 0.5 for what can be neither low nor high, 0 for everything else.
"""

from __future__ import annotations

from typing import Final

DESCRIPTOR_SPACE: Final = "chladni-descriptors-v2"

DESCRIPTOR_NAMES: Final = (
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
"""Descriptors of the audio as a whole."""

TEMPORAL_SEGMENTS: Final = 16
TEMPORAL_FEATURES: Final = (
    "level",
    "brightness",
    "flatness",
    "onset",
    "pitch_height",
    "harmonicity",
    "tonal_x",
    "tonal_y",
)
COMPONENT_NAMES: Final = DESCRIPTOR_NAMES + tuple(
    f"course_{segment:02}_{feature}" for segment in range(TEMPORAL_SEGMENTS) for feature in TEMPORAL_FEATURES
)
COMPONENT_COUNT: Final = len(COMPONENT_NAMES)

UNDECIDED: Final = 0.5
"""Value of a component that can be neither low nor high, such as the mode of noise."""
