"""The temporal profile of a sound: how it changes from its beginning to its end, in sixteen segments.

Descriptors say what a sound is like as a whole; the profile says when. It is made of what the
descriptors' analyses found frame by frame, so it costs next to nothing.

A segment that is quiet or has no pitch says little about itself: its values are shrunk towards those
of the whole sound, as if the whole sounded for a moment in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.pitch import VOICED_APERIODICITY, PitchSummary, PitchTrack
from chladni_audio_features.analysis.rhythm import Rhythm
from chladni_audio_features.analysis.spectral_peaks import MIN_TONAL_SHARE, SpectralPeaks
from chladni_audio_features.analysis.spectral_shape import SpectralShape, SpectralShapeFrames
from chladni_audio_features.analysis.tonality import positions_on_circle_of_fifths
from chladni_contract.descriptor_space import TEMPORAL_SEGMENTS

MIN_LEVEL_DB = -40.0
MAX_ONSET_DB = 15.0

_LEVEL_BLOCKS = 8 * TEMPORAL_SEGMENTS
_EDGE_FRAMES = 2  # spectra whose window reaches over an end of the sound
_ONSET_FRAMES = 5  # of the spectrum's rise: as long as a window takes to pass
_SHRINKAGE = 0.05  # amplitude of the whole sound that is mixed in, relative to the mean


Values = npt.NDArray[np.float64]


class SegmentWindows:
    """The segments' windows over a sound: triangles, centred on the segments and two of them wide.

    They overlap by half, so that what moves a little in time changes its segments only a little.
    """

    def __init__(self, duration_seconds: float) -> None:
        """Divide a sound of this length into segments."""
        self._width_seconds = duration_seconds / TEMPORAL_SEGMENTS
        self._centres_seconds = (np.arange(TEMPORAL_SEGMENTS) + 0.5) * self._width_seconds

    def heights(self, times_seconds: Values) -> Values:
        """Return the height of each window, 1 at most, at evenly spaced times: (16, times).

        Where the times are further apart than the segments, the windows are as wide as to
        interpolate between them; a segment before the first time or after the last has theirs.
        """
        first, last = times_seconds[0], times_seconds[-1]
        spacing = (last - first) / max(1, len(times_seconds) - 1)
        centres = np.clip(self._centres_seconds, first, last)
        width = max(self._width_seconds, spacing)
        heights: Values = np.maximum(0.0, 1.0 - np.abs(times_seconds - centres[:, None]) / width)
        return heights

    def weights(self, times_seconds: Values) -> Values:
        """Return `heights`, scaled to add up to 1 in each segment: (16, times)."""
        heights = self.heights(times_seconds)
        weights: Values = heights / heights.sum(axis=1, keepdims=True)
        return weights


@dataclass(frozen=True, eq=False)
class TemporalProfile:
    """Local values of a sound, each (16,) float64.

    Attributes:
        level_decibels: root mean square relative to the loudest segment, from -40 to 0.
        brightness_hz: spectral centroid.
        flatness_decibels: spectral flatness.
        onset_decibels: how far the spectrum rises at the strongest beginning, from 0 to 15.
        pitch_height_hz: pitch, or the register of chords; None for sound without pitch.
        harmonicity: share of the sound that repeats with the best period.
        tonal_x: cosine, and
        tonal_y: sine of the place on the circle of fifths (C at 0 degrees, G at 30), times how
            distinct the place is: at most 1 in magnitude, 0 if there is no tonal content.
    """

    level_decibels: Values
    brightness_hz: Values
    flatness_decibels: Values
    onset_decibels: Values
    pitch_height_hz: Values | None
    harmonicity: Values
    tonal_x: Values
    tonal_y: Values


@dataclass(frozen=True, eq=False)
class AnalysisResults:
    """What the descriptors' analyses found in a sound.

    Attributes:
        frames_per_second: rate of the frames of shape and rhythm; frame 0 is centred on time 0.
        shape_frames: shape of the spectrum, frame by frame.
        shape: their mean.
        rhythm: onsets and tempo.
        pitch_track: pitch, frame by frame.
        pitch: its summary.
        peaks: the tonal peaks.
    """

    frames_per_second: float
    shape_frames: SpectralShapeFrames
    shape: SpectralShape
    rhythm: Rhythm
    pitch_track: PitchTrack
    pitch: PitchSummary
    peaks: SpectralPeaks


def measure_temporal_profile(
    samples: npt.NDArray[np.float32], sample_rate_hz: int, *, analyses: AnalysisResults
) -> TemporalProfile:
    """Trace the profile of a sound that is not silent.

    Args:
        samples: (n,) float32, at least 0.1 s, without a constant offset.
        sample_rate_hz: their rate.
        analyses: of the same samples.
    """
    windows = SegmentWindows(len(samples) / sample_rate_hz)
    brightness_hz, flatness_decibels = _spectral_profile(windows, analyses)
    track = analyses.pitch_track
    tonal = _tonal_profile(windows, analyses.peaks)
    return TemporalProfile(
        level_decibels=_level_profile(windows, samples, sample_rate_hz),
        brightness_hz=brightness_hz,
        flatness_decibels=flatness_decibels,
        onset_decibels=_onset_profile(windows, analyses),
        pitch_height_hz=_pitch_profile(windows, analyses),
        harmonicity=_shrunk_mean(
            windows.weights(track.times_seconds),
            1.0 - track.aperiodicity,
            amplitudes=track.amplitudes,
            whole=analyses.pitch.harmonicity,
            mean_amplitude=track.amplitudes.mean(),
        ),
        tonal_x=tonal.real,
        tonal_y=tonal.imag,
    )


def _level_profile(windows: SegmentWindows, samples: npt.NDArray[np.float32], sample_rate_hz: int) -> Values:
    edges = np.linspace(0, len(samples), _LEVEL_BLOCKS + 1).astype(np.intp)
    energies = np.add.reduceat(np.square(samples, dtype=np.float64), edges[:-1])
    middles_seconds = 0.5 * (edges[:-1] + edges[1:]) / sample_rate_hz
    power = windows.weights(middles_seconds) @ (energies / np.diff(edges))
    lowest = 10.0 ** (MIN_LEVEL_DB / 10.0)
    decibels: Values = 10.0 * np.log10(np.maximum(power / power.max(), lowest))
    return decibels


def _spectral_profile(windows: SegmentWindows, analyses: AnalysisResults) -> tuple[Values, Values]:
    """Return brightness and flatness; spectra of abrupt ends count only if there are no others."""
    frames, whole = analyses.shape_frames, analyses.shape
    count = len(frames.amplitudes)
    skipped = min(_EDGE_FRAMES, (count - 1) // 2)
    inner = slice(skipped, count - skipped)
    weights = windows.weights(_frame_times(count, analyses)[inner])
    brightness_hz, flatness_decibels = (
        _shrunk_mean(
            weights,
            values[inner],
            amplitudes=frames.amplitudes[inner],
            whole=mean,
            mean_amplitude=frames.amplitudes.mean(),
        )
        for values, mean in (
            (frames.brightness_hz, whole.brightness_hz),
            (frames.flatness_decibels, whole.flatness_decibels),
        )
    )
    return brightness_hz, flatness_decibels


def _onset_profile(windows: SegmentWindows, analyses: AnalysisResults) -> Values:
    """Return the rise of the spectrum within a window's length, at its strongest.

    A beginning may fall on one frame or across several: only their sum does not depend on that.
    """
    excess = analyses.rhythm.flux_excess_decibels
    start = _ONSET_FRAMES // 2
    rises = np.convolve(excess, np.ones(_ONSET_FRAMES))[start : start + len(excess)]
    # A frame's rise is the one from the frame before.
    times_seconds = _frame_times(len(excess), analyses) - 0.5 / analyses.frames_per_second
    strongest: Values = (windows.heights(times_seconds) * np.clip(rises, 0.0, MAX_ONSET_DB)).max(axis=1)
    return strongest


def _frame_times(count: int, analyses: AnalysisResults) -> Values:
    return np.arange(count, dtype=np.float64) * (1.0 / analyses.frames_per_second)


def _pitch_profile(windows: SegmentWindows, analyses: AnalysisResults) -> Values | None:
    """Return the single pitch or the register, or a value in between if it is in doubt which one is heard."""
    pitch = analyses.pitch
    octaves = np.zeros(TEMPORAL_SEGMENTS)
    if pitch.median_hz is not None and pitch.chord_likelihood < 1.0:
        melody = _melody_profile(windows, analyses.pitch_track, pitch.median_hz)
        octaves += (1.0 - pitch.chord_likelihood) * melody
    if pitch.register_hz is not None and pitch.chord_likelihood > 0.0:
        octaves += pitch.chord_likelihood * _register_profile(windows, analyses.peaks, pitch.register_hz)
    return None if pitch.height_hz is None else np.exp2(octaves)


def _melody_profile(windows: SegmentWindows, track: PitchTrack, median_hz: float) -> Values:
    """Return the mean pitch of the voiced frames in octaves above 1 Hz."""
    voiced = track.voiced
    clarity = 1.0 - track.aperiodicity[voiced] / VOICED_APERIODICITY
    return _shrunk_mean(
        windows.weights(track.times_seconds)[:, voiced],
        np.log2(track.melody_hz()),
        amplitudes=track.amplitudes[voiced] * clarity,
        whole=float(np.log2(median_hz)),
        mean_amplitude=track.amplitudes.mean(),
    )


def _register_profile(windows: SegmentWindows, peaks: SpectralPeaks, register_hz: float) -> Values:
    """Return the register in octaves above 1 Hz.

    It moves as the mean of the partials does: their quartile would jump from note to note.
    """
    chosen = peaks.is_fundamental
    amplitudes = peaks.amplitudes[chosen]
    octaves = np.log2(peaks.frequencies_hz[chosen])
    octaves -= np.average(octaves, weights=amplitudes)
    return float(np.log2(register_hz)) + _shrunk_mean(
        windows.weights(peaks.frame_times_seconds)[:, peaks.frames[chosen]],
        octaves,
        amplitudes=amplitudes,
        whole=0.0,
        mean_amplitude=amplitudes.sum() / len(peaks.frame_times_seconds),
    )


def _tonal_profile(windows: SegmentWindows, peaks: SpectralPeaks) -> npt.NDArray[np.complex128]:
    """Return the mean place of the notes on the circle of fifths, times the segment's tonal share.

    The place of a single note lies on the circle, that of a chord within it, and that of a cluster
    near its centre. Quiet segments count as having no tonal content.
    """
    if not peaks.is_tonal:
        return np.zeros(TEMPORAL_SEGMENTS, dtype=np.complex128)
    weights = windows.weights(peaks.frame_times_seconds)
    frame_places, frame_totals = positions_on_circle_of_fifths(peaks)
    totals = weights @ frame_totals
    places = (weights @ frame_places) / np.where(totals > 0.0, totals, 1.0)
    energies = weights @ peaks.frame_energies + _SHRINKAGE**2 * peaks.frame_energies.mean()
    shares = (weights @ peaks.frame_tonal_energies) / energies
    clarity = np.clip((shares - MIN_TONAL_SHARE) / (1.0 - MIN_TONAL_SHARE), 0.0, 1.0)
    tonal: npt.NDArray[np.complex128] = places * clarity
    return tonal


def _shrunk_mean(
    weights: Values, values: Values, *, amplitudes: Values, whole: float, mean_amplitude: float
) -> Values:
    """Return the mean of `values` in each segment by amplitude, shrunk towards the value of the whole sound.

    Args:
        weights: (16, frames) of the frames in each segment.
        values: (frames,) what is averaged.
        amplitudes: (frames,) how much each frame counts.
        whole: the value of the whole sound.
        mean_amplitude: of all frames, also of those that are not given here.
    """
    if mean_amplitude == 0.0:  # all that sounds lies beyond the last frame
        return np.full(len(weights), whole)
    weight = _SHRINKAGE * mean_amplitude
    mean: Values = (weights @ (amplitudes * values) + weight * whole) / (weights @ amplitudes + weight)
    return mean
