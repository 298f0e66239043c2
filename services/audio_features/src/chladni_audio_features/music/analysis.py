"""All analyses of one clip of music, put together."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.music.beats import NO_BEATS, BeatTrack, track_beats
from chladni_audio_features.music.calibration import Calibrations, load_calibrations
from chladni_audio_features.music.chords import ChordSegment, find_chords
from chladni_audio_features.music.dynamics import Dynamics, measure_dynamics
from chladni_audio_features.music.frontend import FloatArray, MusicFrames
from chladni_audio_features.music.key import KeyCandidate, estimate_key
from chladni_audio_features.music.melody import MelodyContour, trace_melody
from chladni_audio_features.music.meter import FREE, MeterEstimate, beginnings, estimate_meter
from chladni_audio_features.music.mood import Mood, MoodEvidence, judge_mood
from chladni_audio_features.music.notation import melody_notes, write_abc
from chladni_contract.errors import ChladniError, NotOfferedError, Reason

MODEL_ID: Final = "chladni-music-v1"

_LIBRARY: Final = "librosa"
_LEAST_ONSETS: Final = 4
_QUIET: Final = 1e-4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class MusicAnalysis:
    """What was heard in a clip; confidences are calibrated: of what has 0.8, four in five are right.

    Attributes:
        keys: Keys, most probable first; empty for a clip without notes.
        meter: Tempo and time signature.
        beats: Beats and downbeats.
        chords: Chords in time.
        contour: The melody.
        dynamics: Level over time.
        mood: Mood.
        abc_notation: The melody as a score; empty if there is none.
    """

    keys: tuple[KeyCandidate, ...]
    meter: MeterEstimate
    beats: BeatTrack
    chords: tuple[ChordSegment, ...]
    contour: MelodyContour
    dynamics: Dynamics
    mood: Mood
    abc_notation: str


def analyse_music(samples: npt.NDArray[np.float32]) -> MusicAnalysis:
    """Analyse a clip of music.

    Args:
        samples: (n,) float32 at 22050 Hz.
    """
    return calibrated(analyse_uncalibrated(MusicFrames(samples)), load_calibrations())


def is_available() -> bool:
    """Return whether the libraries are installed; they are not imported."""
    return find_spec(_LIBRARY) is not None


def check_available(*, enabled: bool) -> None:
    """Refuse to analyse music if it cannot be done.

    Raises:
        NotOfferedError: The settings do not allow it.
        ChladniError: The libraries are not installed.
    """
    if not enabled:
        raise NotOfferedError(
            "This server does not analyse music. Set CHLADNI_AUDIO_FEATURES_MUSIC=true where it runs."
        )
    if not is_available():
        raise ChladniError(
            Reason.MODEL_UNAVAILABLE,
            "Music cannot be analysed: librosa is not installed where audio-features runs. "
            "Install it there: pip install 'chladni-audio-features[music]'.",
            metadata={"model": MODEL_ID},
        )


@lru_cache(maxsize=1)
def warm_up() -> None:
    """Analyse a second of noise, so that no caller waits for the libraries to be imported and compiled.

    That takes some seconds; further calls do nothing.
    """
    started_at = time.perf_counter()
    noise = 0.1 * np.random.default_rng(0).standard_normal(ANALYSIS_SAMPLE_RATE_HZ)
    try:
        analyse_music(noise.astype(np.float32))
    except Exception:  # noqa: BLE001 - the service can do without
        _log.exception("music analysis does not work")
    else:
        _log.info("music analysis is warm", extra={"seconds": round(time.perf_counter() - started_at, 1)})


def analyse_uncalibrated(frames: MusicFrames) -> MusicAnalysis:
    """Analyse a clip; the confidences are as the analyses give them."""
    dynamics = measure_dynamics(frames.samples)
    if not np.abs(frames.samples).max(initial=0.0) > _QUIET:
        return _silent(dynamics)
    notes = frames.notes
    onsets = frames.rhythm.onsets_seconds()
    onset_rate = len(onsets) / frames.duration_seconds
    chords = find_chords(notes, duration_seconds=frames.duration_seconds)
    keys = estimate_key(notes, chords)
    channels = beginnings(frames)
    meter = MeterEstimate((), FREE, 1.0)
    if len(onsets) >= _LEAST_ONSETS:
        meter = estimate_meter(channels, onset_rate=onset_rate)
    tempo_bpm = meter.tempos[0].beats_per_minute if meter.tempos else None
    beats = NO_BEATS
    if tempo_bpm is not None:
        beats = track_beats(channels, tempo_bpm=tempo_bpm, signature=meter.signature)
    contour = trace_melody(frames)
    melody = melody_notes(contour, tuning_cents=notes.tuning_cents, onsets_seconds=onsets)
    mood = judge_mood(
        MoodEvidence(
            tempo_bpm=tempo_bpm,
            onset_rate=onset_rate,
            major_probability=sum(key.confidence for key in keys if key.is_major) if keys else 0.5,
            level_dbfs=float(np.percentile(dynamics.levels_dbfs, 75)),
            brightness_hz=_brightness_hz(frames.samples),
            noise_share=1.0 - notes.harmonic_share,
        )
    )
    abc = write_abc(
        melody,
        beats=beats,
        signature=meter.signature,
        tempo_bpm=_steady_tempo(beats, tempo_bpm, meter.signature),
        key=keys[0] if keys else None,
    )
    return MusicAnalysis(
        keys=keys,
        meter=meter,
        beats=beats,
        chords=tuple(chords),
        contour=contour,
        dynamics=dynamics,
        mood=mood,
        abc_notation=abc,
    )


def calibrated(analysis: MusicAnalysis, calibrations: Calibrations) -> MusicAnalysis:
    """Return an analysis with calibrated confidences; what was found stays."""
    keys = calibrations.candidates("key", [key.confidence for key in analysis.keys])
    tempos = calibrations.candidates("tempo", [tempo.confidence for tempo in analysis.meter.tempos])
    meter, beats = analysis.meter, analysis.beats
    return replace(
        analysis,
        keys=tuple(
            replace(key, confidence=confidence) for key, confidence in zip(analysis.keys, keys, strict=True)
        ),
        meter=replace(
            meter,
            tempos=tuple(
                replace(tempo, confidence=confidence)
                for tempo, confidence in zip(meter.tempos, tempos, strict=True)
            ),
            confidence=calibrations.single("meter", meter.confidence),
        ),
        beats=replace(
            beats,
            beat_confidence=calibrations.single("beats", beats.beat_confidence)
            if beats.beats_seconds
            else 0.0,
            downbeat_confidence=calibrations.single("downbeats", beats.downbeat_confidence)
            if beats.beats_seconds
            else 0.0,
        ),
        chords=tuple(
            replace(chord, confidence=calibrations.single("chords", chord.confidence))
            for chord in analysis.chords
        ),
        contour=replace(
            analysis.contour, confidences=calibrations.each("contour", analysis.contour.confidences)
        ),
        dynamics=replace(
            analysis.dynamics, confidence=calibrations.single("dynamics", analysis.dynamics.confidence)
        ),
        mood=replace(analysis.mood, confidence=calibrations.single("mood", analysis.mood.confidence)),
    )


def _silent(dynamics: Dynamics) -> MusicAnalysis:
    times: FloatArray = np.arange(0.0)
    return MusicAnalysis(
        keys=(),
        meter=MeterEstimate((), FREE, 1.0),
        beats=NO_BEATS,
        chords=(),
        contour=MelodyContour(times, times, times, is_solo=True),
        dynamics=dynamics,
        mood=Mood(0.0, -1.0, ("silent",), 1.0),
        abc_notation="",
    )


def _steady_tempo(beats: BeatTrack, tempo_bpm: float | None, signature: str) -> float | None:
    """Return the tempo at which the beats are played, on average; the grid of tempos is 2 percent wide."""
    if tempo_bpm is None or len(beats.beats_seconds) < 4:
        return tempo_bpm
    period = float(np.polyfit(np.arange(len(beats.beats_seconds)), beats.beats_seconds, 1)[0])
    steady = 60.0 / period * (0.5 if signature == "7/8" else 1.0)
    return steady if abs(np.log2(steady / tempo_bpm)) < 0.1 else tempo_bpm


def _brightness_hz(samples: npt.NDArray[np.float32]) -> float:
    """Return the spectral centroid of a clip."""
    spectrum = np.abs(np.fft.rfft(samples))
    bins_hz = np.fft.rfftfreq(len(samples), 1.0 / ANALYSIS_SAMPLE_RATE_HZ)
    return float((spectrum * bins_hz).sum() / max(float(spectrum.sum()), 1e-9))
