"""Beats and bars.

Beats are the times at which one would tap, by dynamic programming (Ellis 2007, "Beat tracking by dynamic
programming"); which of them begin a bar shows in where low strokes, basses and harmonies begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.music.choice import load_choice
from chladni_audio_features.music.frontend import FRAMES_PER_SECOND, FloatArray
from chladni_audio_features.music.meter import SIGNATURES

_TIGHTNESS: Final = 350.0
_NEAR_FRAMES: Final = 3
_AUDIBLE_SHARE: Final = 0.1


@dataclass(frozen=True)
class BeatTrack:
    """Beats and downbeats.

    Attributes:
        beats_seconds: Times of the beats.
        downbeats_seconds: Those of them that begin a bar.
        beat_confidence: How regularly something begins on the beats, in [0, 1].
        downbeat_confidence: Probability that the bars begin there and not on other beats.
    """

    beats_seconds: tuple[float, ...]
    downbeats_seconds: tuple[float, ...]
    beat_confidence: float
    downbeat_confidence: float


NO_BEATS: Final = BeatTrack((), (), 0.0, 0.0)


def track_beats(channels: FloatArray, *, tempo_bpm: float, signature: str) -> BeatTrack:
    """Find the beats of music in a tempo and a time signature.

    Args:
        channels: From `meter.beginnings`.
        tempo_bpm: Units a minute.
        signature: One of the names in `SIGNATURES`.
    """
    meter = next(meter for meter in SIGNATURES if meter.name == signature)
    period = 60.0 * FRAMES_PER_SECOND / tempo_bpm * meter.bar_units / meter.beats_per_bar
    strength = channels[3] + 0.5 * channels[0]
    beats = place_beats(strength, period)
    if len(beats) < 2:
        return NO_BEATS
    probabilities = load_choice("downbeat").probabilities(
        downbeat_features(channels, beats, meter.beats_per_bar)
    )
    phase = int(probabilities.argmax())
    times = tuple(float(beat / FRAMES_PER_SECOND) for beat in beats)
    return BeatTrack(
        beats_seconds=times,
        downbeats_seconds=times[phase :: meter.beats_per_bar],
        beat_confidence=_regularity(strength, beats),
        downbeat_confidence=float(probabilities[phase]),
    )


def downbeat_features(channels: FloatArray, beats: npt.NDArray[np.intp], beats_per_bar: int) -> FloatArray:
    """Return the evidence that bars begin with each of the first beats: (beats_per_bar, features)."""
    on_beats = _near(channels, beats)
    means = np.zeros((beats_per_bar, len(channels)))
    for phase in range(beats_per_bar):
        chosen = on_beats[:, phase::beats_per_bar]
        means[phase] = chosen.mean(axis=1) if chosen.shape[1] else 0.0
    contrasts = means - means.mean(axis=0)
    after = np.roll(contrasts, -1, axis=0)
    middle = np.roll(contrasts, -(beats_per_bar // 2), axis=0)
    is_first = np.zeros((beats_per_bar, 1))
    is_first[0] = 1.0
    size = np.full((beats_per_bar, 1), beats_per_bar / 4.0)
    return np.hstack([contrasts, means, after, middle, is_first, size])


def _near(channels: FloatArray, beats: npt.NDArray[np.intp]) -> FloatArray:
    """Return the highest value of each kind near each beat: (kinds, beats)."""
    count = channels.shape[1]
    shifts = range(-_NEAR_FRAMES, _NEAR_FRAMES + 1)
    highest: FloatArray = np.maximum.reduce(
        [channels[:, np.clip(beats + shift, 0, count - 1)] for shift in shifts]
    )
    return highest


def place_beats(strength: FloatArray, period: float) -> npt.NDArray[np.intp]:
    """Return the frames that lie on strong beginnings and a period apart, as well as both can be."""
    radius = round(period)
    window = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) * 24.0 / period))
    # Not by the mode "same", which makes a clip that is shorter than the window as long as that.
    local = np.convolve(strength, window)[radius : radius + len(strength)]
    local /= max(float(local.std()), 1e-9)
    shifts = np.arange(-round(2.0 * period), -round(period / 2.0) + 1)
    penalty = -_TIGHTNESS * np.square(np.log(-shifts / period))
    score = local.copy()
    origins = np.full(len(local), -1)
    for frame in range(len(local)):
        before = frame + shifts
        first = int(np.searchsorted(before, 0))
        if first == len(before):
            continue
        values = penalty[first:] + score[before[first:]]
        best = int(values.argmax())
        if values[best] > 0.0:
            score[frame] += values[best]
            origins[frame] = before[first + best]
    tail = score[max(0, len(score) - round(period)) :]
    last = max(0, len(score) - round(period)) + int(tail.argmax())
    beats = [last]
    while origins[beats[-1]] >= 0:
        beats.append(int(origins[beats[-1]]))
    return _audible(np.array(beats[::-1], dtype=np.intp), local)


def _audible(beats: npt.NDArray[np.intp], local: FloatArray) -> npt.NDArray[np.intp]:
    """Leave out beats before the music begins and after it ends."""
    strengths = local[beats]
    loud = np.flatnonzero(strengths > _AUDIBLE_SHARE * np.sqrt(np.square(strengths).mean()))
    return beats[loud[0] : loud[-1] + 1] if len(loud) else beats[:0]


def _regularity(strength: FloatArray, beats: npt.NDArray[np.intp]) -> float:
    on_beats = _near(strength[None], beats)[0]
    return float(np.clip((on_beats > np.percentile(strength, 75)).mean(), 0.0, 1.0))
