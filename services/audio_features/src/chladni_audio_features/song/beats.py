"""The beats of a whole song, from how much begins at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.music.analysis import is_available
from chladni_audio_features.music.beats import place_beats
from chladni_audio_features.music.frontend import FRAMES_PER_SECOND, FloatArray, MusicFrames, RhythmFrames
from chladni_audio_features.music.meter import SIGNATURES, beginnings, estimate_meter

_CHUNK_SECONDS: Final = 20
_MARGIN_FRAMES: Final = 5
_NEARBY_FRAMES: Final = 2 * FRAMES_PER_SECOND
_BEATS_PER_BAR: Final = 4
_LEAST_CONFIDENCE: Final = 0.2
_TEMPO_TOLERANCE: Final = 0.04
_FASTEST_BEATS_PER_MINUTE: Final = 180.0


@dataclass(frozen=True)
class Tempo:
    """A tempo.

    Attributes:
        beats_per_minute: The tempo.
        beats_per_bar: Beats of a bar.
        by_music: Whether the analysis of music found it; else the onsets alone did.
    """

    beats_per_minute: float
    beats_per_bar: int
    by_music: bool


@dataclass(frozen=True)
class SongBeats:
    """When a song's beats are, in seconds.

    Attributes:
        beats: All beats.
        downbeats: Those that begin a bar.
        onsets: When something begins.
    """

    beats: tuple[float, ...]
    downbeats: tuple[float, ...]
    onsets: tuple[float, ...]


def measure_rhythm(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> RhythmFrames:
    """Return how much begins in each frame of a long sound; a part at a time, so that memory stays bounded.

    Args:
        samples: (n,) float32 at 22050 Hz.
    """
    hop = ANALYSIS_SAMPLE_RATE_HZ // FRAMES_PER_SECOND
    size, margin = _CHUNK_SECONDS * FRAMES_PER_SECOND, _MARGIN_FRAMES
    total = max(1, -(-len(samples) // hop))
    parts: list[FloatArray] = []
    for start in range(0, total, size):
        first = max(0, start - margin)
        chunk = samples[first * hop : (start + size + margin) * hop]
        rhythm = MusicFrames(chunk).rhythm
        rows = np.array([rhythm.low, rhythm.middle, rhythm.high, rhythm.total])
        parts.append(rows[:, start - first : min(start + size, total) - first])
    low, middle, high, all_bands = np.concatenate(parts, axis=1)
    return RhythmFrames(low=low, middle=middle, high=high, total=all_bands)


def tempo_of_music(excerpt: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Tempo | None:
    """Return the tempo of a clip of music by the analysis of music; `None` if it is not to be had.

    Args:
        excerpt: (n,) float32 at 22050 Hz, some 20 s.
    """
    if not is_available():
        return None
    frames = MusicFrames(excerpt)
    onset_rate = len(frames.rhythm.onsets_seconds()) / max(frames.duration_seconds, 1e-3)
    meter = estimate_meter(beginnings(frames), onset_rate=onset_rate)
    if not meter.tempos:
        return None
    signature = next(item for item in SIGNATURES if item.name == meter.signature)
    beats_per_minute = meter.tempos[0].beats_per_minute * signature.beats_per_bar / signature.bar_units
    return Tempo(_slow_enough(beats_per_minute), signature.beats_per_bar, by_music=True)


def tempo_of_onsets(windows: Sequence[Descriptors]) -> Tempo | None:
    """Return the tempo that most windows of a song agree on; `None` if nothing recurs."""
    candidates = [
        (candidate.beats_per_minute, candidate.confidence)
        for window in windows
        for candidate in window.tempo_candidates
    ]
    if not candidates:
        return None
    tempos, weights = np.array(candidates).T
    near = np.abs(np.log(tempos[:, None] / tempos)) <= _TEMPO_TOLERANCE
    votes = near @ weights
    best = int(votes.argmax())
    if votes[best] / len(windows) < _LEAST_CONFIDENCE:
        return None
    mean = np.exp(np.average(np.log(tempos[near[best]]), weights=weights[near[best]]))
    return Tempo(_slow_enough(float(mean)), _BEATS_PER_BAR, by_music=False)


def find_beats(rhythm: RhythmFrames, tempo: Tempo | None) -> SongBeats:
    """Return the beats of a song in a tempo; no beats if there is none."""
    onsets = tuple(float(time) for time in rhythm.onsets_seconds())
    if tempo is None:
        return SongBeats((), (), onsets)
    strength = _standardised(rhythm.total) + 0.5 * _standardised(rhythm.low)
    frames = place_beats(strength, 60.0 * FRAMES_PER_SECOND / tempo.beats_per_minute)
    if len(frames) < 2:
        return SongBeats((), (), onsets)
    beats = tuple(float(frame / FRAMES_PER_SECOND) for frame in frames)
    accents = _standardised(rhythm.low)[frames] + 0.5 * strength[frames]
    phases = range(min(tempo.beats_per_bar, len(beats)))
    means = [accents[phase :: tempo.beats_per_bar].mean() for phase in phases]
    phase = int(np.argmax(means))
    return SongBeats(beats, beats[phase :: tempo.beats_per_bar], onsets)


def _slow_enough(beats_per_minute: float) -> float:
    """Return a tempo, or half of it if nobody would tap so fast."""
    while beats_per_minute > _FASTEST_BEATS_PER_MINUTE:
        beats_per_minute /= 2.0
    return beats_per_minute


def _standardised(values: FloatArray) -> FloatArray:
    """Return the root of a curve less its mean nearby, with deviation 1."""
    roots = np.sqrt(np.maximum(values, 0.0))
    width = min(_NEARBY_FRAMES, max(1, len(roots) - 1))
    sums = np.cumsum(np.pad(roots, (width + 1, width), mode="edge"))
    centred = roots - (sums[2 * width + 1 :] - sums[: -2 * width - 1]) / (2 * width + 1)
    standardised: FloatArray = centred / max(float(centred.std()), 1e-6)
    return standardised
