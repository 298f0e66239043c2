"""Tones: sums of decaying partials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

_HIGHEST_PARTIAL_SHARE = 0.45  # of the sample rate


@dataclass(frozen=True, kw_only=True)
class Timbre:
    """How an instrument sounds.

    Attributes:
        ratios: frequency of each partial relative to the note's.
        amplitudes: amplitude of each partial.
        attack_seconds: rise to full level.
        decay_seconds: time in which the first partial falls to a third; 0 keeps the level.
        damping: how much faster high partials decay than the first.
        release_seconds: fall to silence after the note's end.
        vibrato_semitones: depth of a slow frequency modulation of 5.5 Hz.
        breath: level of noise blended into the tone.
        voices: unison voices, detuned by a few hundredths of a semitone.
    """

    ratios: tuple[float, ...]
    amplitudes: tuple[float, ...]
    attack_seconds: float = 0.005
    decay_seconds: float = 0.0
    damping: float = 0.0
    release_seconds: float = 0.05
    vibrato_semitones: float = 0.0
    breath: float = 0.0
    voices: int = 1


def harmonic_timbre(
    *,
    count: int,
    tilt: float,
    odd_only: bool = False,
    attack_seconds: float = 0.005,
    decay_seconds: float = 0.0,
    damping: float = 0.0,
    release_seconds: float = 0.05,
    vibrato_semitones: float = 0.0,
    breath: float = 0.0,
    voices: int = 1,
) -> Timbre:
    """Return a harmonic timbre whose amplitudes fall as k to the power of minus `tilt`."""
    harmonics = np.arange(1, 2 * count, 2) if odd_only else np.arange(1, count + 1)
    return Timbre(
        ratios=tuple(harmonics.astype(float)),
        amplitudes=tuple(harmonics**-tilt),
        attack_seconds=attack_seconds,
        decay_seconds=decay_seconds,
        damping=damping,
        release_seconds=release_seconds,
        vibrato_semitones=vibrato_semitones,
        breath=breath,
        voices=voices,
    )


PIANO = harmonic_timbre(count=12, tilt=1.4, decay_seconds=0.9, damping=0.35)
PLUCK = harmonic_timbre(count=20, tilt=1.0, attack_seconds=0.002, decay_seconds=0.35, damping=0.5)
HARP = harmonic_timbre(count=8, tilt=1.8, attack_seconds=0.003, decay_seconds=0.8, damping=0.4)
ORGAN = Timbre(
    ratios=(0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0),
    amplitudes=(0.4, 1.0, 0.6, 0.35, 0.4, 0.2, 0.15),
    attack_seconds=0.02,
)
STRINGS = harmonic_timbre(
    count=24, tilt=1.1, attack_seconds=0.25, release_seconds=0.4, vibrato_semitones=0.12, voices=3
)
FLUTE = harmonic_timbre(
    count=4, tilt=2.2, attack_seconds=0.06, release_seconds=0.12, vibrato_semitones=0.2, breath=0.03
)
REED = harmonic_timbre(count=12, tilt=0.9, odd_only=True, attack_seconds=0.03)
BRASS = harmonic_timbre(count=18, tilt=0.7, attack_seconds=0.05, release_seconds=0.1)
PAD = harmonic_timbre(count=6, tilt=1.6, attack_seconds=0.7, release_seconds=0.9, voices=4)
BASS = harmonic_timbre(count=8, tilt=1.3, decay_seconds=0.6, damping=0.5)
SINE = harmonic_timbre(count=1, tilt=0.0, attack_seconds=0.02)
# The partials of a minor-third church bell, from the hum note upwards.
BELL = Timbre(
    ratios=(0.5, 1.0, 1.19, 1.5, 2.0, 2.51, 2.66, 3.01, 4.1, 5.43),
    amplitudes=(0.5, 0.8, 0.6, 0.3, 1.0, 0.4, 0.35, 0.3, 0.25, 0.15),
    attack_seconds=0.002,
    decay_seconds=1.6,
    damping=0.6,
    release_seconds=1.0,
)

INSTRUMENTS = (PIANO, PLUCK, HARP, ORGAN, STRINGS, FLUTE, REED, BRASS, PAD, BELL, SINE)


def render_tone(
    timbre: Timbre,
    *,
    midi_note: float,
    duration_seconds: float,
    sample_rate_hz: int,
    rng: np.random.Generator,
) -> Samples:
    """Render one note, its release included.

    Args:
        timbre: the instrument.
        midi_note: 69 is A4, 440 Hz; fractions are allowed.
        duration_seconds: from the attack to the beginning of the release.
        sample_rate_hz: rate of the result.
        rng: draws phases, detuning and breath.
    """
    count = round((duration_seconds + timbre.release_seconds) * sample_rate_hz)
    seconds = np.arange(count) / sample_rate_hz
    frequency_hz = 440.0 * 2.0 ** ((midi_note - 69.0) / 12.0)
    wobble = (
        timbre.vibrato_semitones
        * np.sin(2.0 * np.pi * (5.5 * seconds + rng.uniform()))
        * np.minimum(1.0, seconds / 0.3)
    )
    phase = 2.0 * np.pi * np.cumsum(2.0 ** (wobble / 12.0)) / sample_rate_hz

    tone = np.zeros(count)
    for _ in range(timbre.voices):
        detune = 2.0 ** (rng.normal(scale=0.06 if timbre.voices > 1 else 0.0) / 12.0)
        for ratio, amplitude in zip(timbre.ratios, timbre.amplitudes, strict=True):
            partial_hz = frequency_hz * ratio * detune
            if partial_hz > _HIGHEST_PARTIAL_SHARE * sample_rate_hz:
                continue
            partial = amplitude * np.sin(partial_hz * phase + rng.uniform(0.0, 2.0 * np.pi))
            if timbre.decay_seconds > 0.0:
                rate = (1.0 + timbre.damping * (ratio - 1.0)) / timbre.decay_seconds
                partial *= np.exp(-rate * seconds)
            tone += partial
    tone /= sum(timbre.amplitudes) * timbre.voices
    if timbre.breath:
        tone += timbre.breath * rng.standard_normal(count)
    return tone * _envelope(timbre, seconds, duration_seconds)


def _envelope(timbre: Timbre, seconds: Samples, duration_seconds: float) -> Samples:
    rise = np.minimum(1.0, seconds / timbre.attack_seconds)
    fall = np.clip((seconds - duration_seconds) / timbre.release_seconds, 0.0, 1.0)
    envelope: Samples = np.sin(0.5 * np.pi * rise) * np.square(np.cos(0.5 * np.pi * fall))
    return envelope
