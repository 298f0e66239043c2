"""What each descriptor means: name, unit, range."""

from __future__ import annotations

from dataclasses import dataclass

from chladni_audio_features.analysis.loudness import MAX_DYNAMICS_DB, SILENCE_LUFS
from chladni_audio_features.analysis.pitch import MAX_PITCH_HZ, MAX_PITCH_RANGE_SEMITONES
from chladni_audio_features.analysis.rhythm import MAX_ONSET_RATE_PER_SECOND, MAX_TEMPO_BPM
from chladni_audio_features.analysis.roughness import MAX_ROUGHNESS_ASPER
from chladni_audio_features.analysis.spectral_shape import MIN_FLATNESS_DB
from chladni_audio_features.analysis.tonality import PITCH_CLASSES

MAX_LOUDNESS_LUFS = 100.0
"""Of float files that hold 16-bit integers; customary sound stays below 0."""


@dataclass(frozen=True)
class DescriptorDefinition:
    """What a descriptor measures.

    Attributes:
        name: stable name.
        unit: unit of its value, "1" for a plain number.
        minimum: smallest value.
        maximum: largest value.
        description: one sentence for people.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    description: str


def define_descriptors(max_frequency_hz: float) -> tuple[DescriptorDefinition, ...]:
    """Return the definitions of all descriptors, for sound up to `max_frequency_hz`, in a fixed order."""
    define = DescriptorDefinition
    scalars = (
        define(
            "loudness",
            "LUFS",
            SILENCE_LUFS,
            MAX_LOUDNESS_LUFS,
            "Gated loudness of the sound in mono by ITU-R BS.1770-4; -70 for silence.",
        ),
        define(
            "dynamics",
            "dB",
            0.0,
            MAX_DYNAMICS_DB,
            "Distance between the loudest moment and the pauses (10th percentile of the level).",
        ),
        define(
            "brightness",
            "Hz",
            0.0,
            max_frequency_hz,
            "Spectral centroid: the frequency around which the spectrum is balanced.",
        ),
        define(
            "bandwidth",
            "Hz",
            0.0,
            max_frequency_hz,
            "Spread of the spectrum around its centroid (standard deviation).",
        ),
        define(
            "flatness",
            "dB",
            MIN_FLATNESS_DB,
            0.0,
            "Spectral flatness: near 0 for noise, strongly negative for tones.",
        ),
        define(
            "roughness",
            "asper",
            0.0,
            MAX_ROUGHNESS_ASPER,
            "Harsh flutter of the envelope, 20 to 150 times a second.",
        ),
        define(
            "onset_rate",
            "1/s",
            0.0,
            MAX_ONSET_RATE_PER_SECOND,
            "Notes, syllables or strokes that begin in a second.",
        ),
        define("tempo", "BPM", 0.0, MAX_TEMPO_BPM, "Most likely tempo; 0 if nothing recurs."),
        define(
            "pitch_height",
            "Hz",
            0.0,
            MAX_PITCH_HZ,
            "Median pitch, or the register of chords without a single one; 0 for unpitched sound.",
        ),
        define(
            "pitch_range",
            "semitones",
            0.0,
            MAX_PITCH_RANGE_SEMITONES,
            "Distance between the low (5 %) and the high (95 %) pitches.",
        ),
        define(
            "harmonicity",
            "1",
            0.0,
            1.0,
            "Share of the sound that repeats from period to period: 1 for a tone, low for noise.",
        ),
        define(
            "mode",
            "1",
            -1.0,
            1.0,
            "Fit to the best major key minus fit to the best minor key, by tonal share: positive for major.",
        ),
    )
    chroma = tuple(
        define(
            f"chroma_{name.lower().replace('#', '_sharp')}",
            "1",
            0.0,
            1.0,
            f"Strength of the pitch class {name} relative to the strongest one.",
        )
        for name in PITCH_CLASSES
    )
    return scalars + chroma
