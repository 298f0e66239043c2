"""Analyses of music as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

import numpy as np

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.music.v1 import music_pb2 as features_pb2
from chladni_audio_features.extraction import SourceProperties
from chladni_audio_features.grpc_api.responses import to_duration, to_properties_message
from chladni_audio_features.music.analysis import MusicAnalysis
from chladni_audio_features.music.beats import BeatTrack
from chladni_audio_features.music.chords import ChordSegment
from chladni_audio_features.music.dynamics import Dynamics
from chladni_audio_features.music.key import KeyCandidate, roman_numeral
from chladni_audio_features.music.melody import MelodyContour
from chladni_contract.warnings import to_warning_message

_COURSES: Final[Mapping[str, music_pb2.DynamicsCourse]] = {
    "steady": music_pb2.DYNAMICS_COURSE_STEADY,
    "crescendo": music_pb2.DYNAMICS_COURSE_CRESCENDO,
    "diminuendo": music_pb2.DYNAMICS_COURSE_DIMINUENDO,
    "swell": music_pb2.DYNAMICS_COURSE_SWELL,
    "dip": music_pb2.DYNAMICS_COURSE_DIP,
}
_MIN_BPM: Final = 1.0
_MAX_BPM: Final = 1000.0
_MAX_MOOD_WORDS: Final = 3
_MAX_NUMERALS: Final = 8


def to_music_message(
    properties: SourceProperties, analysis: MusicAnalysis, *, processing_seconds: float
) -> music_pb2.AnalyzeMusicResponse:
    """Convert an analysis of a clip."""
    key = analysis.keys[0] if analysis.keys else None
    mood = analysis.mood
    return music_pb2.AnalyzeMusicResponse(
        audio=to_properties_message(properties),
        warnings=map(to_warning_message, properties.warnings),
        keys=map(_to_key, analysis.keys),
        tempos=[
            music_pb2.TempoCandidate(beats_per_minute=tempo.beats_per_minute, confidence=tempo.confidence)
            for tempo in analysis.meter.tempos
        ],
        meter=music_pb2.Meter(signature=analysis.meter.signature, confidence=analysis.meter.confidence),
        beats=_to_beats(analysis.beats),
        mood=music_pb2.Mood(
            valence=mood.valence, arousal=mood.arousal, words=mood.words, confidence=mood.confidence
        ),
        contour=_to_contour(analysis.contour),
        chords=[_to_chord(chord, key) for chord in analysis.chords],
        dynamics=_to_dynamics(analysis.dynamics),
        abc_notation=analysis.abc_notation,
        features=to_features_message(analysis),
        processing_time=to_duration(processing_seconds),
    )


def to_features_message(analysis: MusicAnalysis) -> features_pb2.MusicFeatures:
    """Convert what is most confident in an analysis to features; what is unknown is absent."""
    features = features_pb2.MusicFeatures(
        time_signature=analysis.meter.signature,
        mood=analysis.mood.words[:_MAX_MOOD_WORDS],
        valence=round(analysis.mood.valence, 3),
        arousal=round(analysis.mood.arousal, 3),
        melody_contour=analysis.contour.shape,
        dynamic_intensity=analysis.dynamics.intensity,
    )
    if analysis.keys:
        key = analysis.keys[0]
        features.key, features.tonality = key.name, "major" if key.is_major else "minor"
        features.harmonic_progression = " ".join(_numerals(analysis.chords, key))
    if analysis.meter.tempos:
        tempo_bpm = analysis.meter.tempos[0].beats_per_minute
        features.tempo_bpm = round(min(_MAX_BPM, max(_MIN_BPM, tempo_bpm)), 1)
    return features


def _numerals(chords: Sequence[ChordSegment], key: KeyCandidate) -> list[str]:
    """Return the degrees of the chords, each once in a row."""
    numerals = [roman_numeral(chord, key) for chord in chords]
    return [numeral for numeral, _ in groupby(filter(None, numerals))][:_MAX_NUMERALS]


def _to_key(key: KeyCandidate) -> music_pb2.KeyCandidate:
    return music_pb2.KeyCandidate(
        key=key.name,
        confidence=key.confidence,
        tonality=music_pb2.TONALITY_MAJOR if key.is_major else music_pb2.TONALITY_MINOR,
        tonic=key.tonic,
    )


def _to_beats(beats: BeatTrack) -> music_pb2.Beats:
    return music_pb2.Beats(
        times=map(to_duration, beats.beats_seconds),
        downbeats=map(to_duration, beats.downbeats_seconds),
        confidence=beats.beat_confidence,
        downbeat_confidence=beats.downbeat_confidence,
    )


def _to_chord(chord: ChordSegment, key: KeyCandidate | None) -> music_pb2.Chord:
    return music_pb2.Chord(
        start=to_duration(chord.start_seconds),
        end=to_duration(chord.end_seconds),
        symbol=chord.symbol,
        roman_numeral=roman_numeral(chord, key) if key else "",
        confidence=chord.confidence,
    )


def _to_contour(contour: MelodyContour) -> music_pb2.MelodyContour:
    sounding = np.flatnonzero(~np.isnan(contour.cents))
    return music_pb2.MelodyContour(
        points=[
            music_pb2.ContourPoint(
                time=to_duration(float(contour.times_seconds[place])),
                cents=float(contour.cents[place]),
                confidence=float(contour.confidences[place]),
            )
            for place in sounding
        ],
        confidence=contour.confidence,
        single_voice=contour.is_solo and len(sounding) > 0,
    )


def _to_dynamics(dynamics: Dynamics) -> music_pb2.Dynamics:
    return music_pb2.Dynamics(
        points=[
            music_pb2.DynamicsPoint(time=to_duration(second), level_dbfs=level)
            for second, level in zip(dynamics.times_seconds, dynamics.levels_dbfs, strict=True)
        ],
        course=_COURSES[dynamics.course],
        confidence=dynamics.confidence,
        marking=dynamics.marking,
        range_db=dynamics.range_db,
    )
