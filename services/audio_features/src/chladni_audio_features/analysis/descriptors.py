"""Descriptors: what a sound is like, in two dozen numbers, and how it changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.definitions import define_descriptors
from chladni_audio_features.analysis.loudness import (
    SILENCE_LUFS,
    integrated_loudness,
    k_weighted,
    level_dynamics,
)
from chladni_audio_features.analysis.pitch import summarise_pitch, track_pitch
from chladni_audio_features.analysis.rhythm import TempoCandidate, analyse_rhythm
from chladni_audio_features.analysis.roughness import measure_roughness
from chladni_audio_features.analysis.spectral_peaks import find_spectral_peaks
from chladni_audio_features.analysis.spectral_shape import (
    MIN_FLATNESS_DB,
    SpectralShapeMeter,
    summarise_spectral_shape,
)
from chladni_audio_features.analysis.spectrogram import MelTransform, bin_frequencies
from chladni_audio_features.analysis.temporal_profile import (
    AnalysisResults,
    TemporalProfile,
    measure_temporal_profile,
)
from chladni_audio_features.analysis.tonality import PITCH_CLASSES, KeyEstimate, analyse_tonality

_SILENT_AMPLITUDE = 1e-6  # -120 dBFS: below the noise floor of any clip


@dataclass(frozen=True, eq=False)
class Descriptors:
    """The descriptors of one sound; units and ranges are in `DescriptorAnalyser.definitions`.

    Attributes:
        is_silent: whether there is no sound at all (nothing above -120 dBFS but DC).
        tempo: None if nothing recurs.
        pitch_height: None for sound without pitch.
        mode: None for sound without tonal content.
        chroma: (12,) float64 from C.
        tempo_candidates: tempi with confidences, best first.
        keys: keys with correlations, best first.
        temporal_profile: how the sound changes; None for silence.
    """

    is_silent: bool
    loudness: float
    dynamics: float
    brightness: float
    bandwidth: float
    flatness: float
    roughness: float
    onset_rate: float
    tempo: float | None
    pitch_height: float | None
    pitch_range: float
    harmonicity: float
    mode: float | None
    chroma: npt.NDArray[np.float64]
    tempo_candidates: tuple[TempoCandidate, ...] = ()
    keys: tuple[KeyEstimate, ...] = ()
    temporal_profile: TemporalProfile | None = None

    def values(self) -> tuple[float, ...]:
        """Return all 24 values in the order of the definitions, 0 for what is absent."""
        return (
            self.loudness,
            self.dynamics,
            self.brightness,
            self.bandwidth,
            self.flatness,
            self.roughness,
            self.onset_rate,
            self.tempo or 0.0,
            self.pitch_height or 0.0,
            self.pitch_range,
            self.harmonicity,
            self.mode or 0.0,
            *self.chroma.tolist(),
        )


class DescriptorAnalyser:
    """Computes descriptors.

    Immutable, hence safe to share between threads.
    """

    def __init__(self, transform: MelTransform) -> None:
        """Create an analyser for sounds at the sample rate of `transform`."""
        self._transform = transform
        self._sample_rate_hz = transform.settings.sample_rate_hz
        self.definitions = define_descriptors(self._sample_rate_hz / 2)

    def describe(self, samples: npt.NDArray[np.float32]) -> Descriptors:
        """Describe a sound.

        Args:
            samples: (n,) float32 mono, finite, at least 0.1 s. A constant offset is ignored.
        """
        offset = np.float32(samples.mean(dtype=np.float64))
        centred = samples - offset
        if not np.abs(centred).max(initial=0.0) > _SILENT_AMPLITUDE:
            return _SILENCE
        return self._describe_clip(centred)

    def _describe_clip(self, samples: npt.NDArray[np.float32]) -> Descriptors:
        rate_hz = self._sample_rate_hz
        settings = self._transform.settings
        meter = SpectralShapeMeter(bin_frequencies(settings.fft_size, rate_hz))
        mel_power = []
        for power in self._transform.spectra_of_clip(samples):
            meter.add(power)
            mel_power.append(self._transform.mel_power(power))
        shape_frames = meter.frames()
        shape = summarise_spectral_shape(shape_frames)
        weighted = k_weighted(samples, rate_hz)
        frames_per_second = rate_hz / settings.hop_length
        rhythm = analyse_rhythm(
            np.concatenate(mel_power, axis=1),
            frames_per_second=frames_per_second,
            duration_seconds=len(samples) / rate_hz,
        )
        peaks = find_spectral_peaks(samples, rate_hz)
        pitch_track = track_pitch(samples, rate_hz)
        pitch = summarise_pitch(pitch_track, peaks)
        tonality = analyse_tonality(peaks)
        analyses = AnalysisResults(
            frames_per_second=frames_per_second,
            shape_frames=shape_frames,
            shape=shape,
            rhythm=rhythm,
            pitch_track=pitch_track,
            pitch=pitch,
            peaks=peaks,
        )
        tempi = rhythm.tempo_candidates
        return Descriptors(
            is_silent=False,
            loudness=integrated_loudness(weighted, rate_hz),
            dynamics=level_dynamics(weighted, rate_hz),
            brightness=shape.brightness_hz,
            bandwidth=shape.bandwidth_hz,
            flatness=shape.flatness_decibels,
            roughness=measure_roughness(samples, rate_hz),
            onset_rate=rhythm.onsets_per_second,
            tempo=tempi[0].beats_per_minute if tempi else None,
            pitch_height=pitch.height_hz,
            pitch_range=pitch.range_semitones,
            harmonicity=pitch.harmonicity,
            mode=tonality.mode,
            chroma=tonality.chroma,
            tempo_candidates=tempi,
            keys=tonality.keys,
            temporal_profile=measure_temporal_profile(samples, rate_hz, analyses=analyses),
        )


_SILENCE = Descriptors(
    is_silent=True,
    loudness=SILENCE_LUFS,
    dynamics=0.0,
    brightness=0.0,
    bandwidth=0.0,
    flatness=MIN_FLATNESS_DB,
    roughness=0.0,
    onset_rate=0.0,
    tempo=None,
    pitch_height=None,
    pitch_range=0.0,
    harmonicity=0.0,
    mode=None,
    chroma=np.zeros(len(PITCH_CLASSES)),
)
