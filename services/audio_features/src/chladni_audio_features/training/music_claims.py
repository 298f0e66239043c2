"""What an analysis of music claims, with how confident it is and whether it is right."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.music.analysis import MusicAnalysis
from chladni_audio_features.music.chords import ChordSegment
from chladni_audio_features.music.mood import Mood
from chladni_audio_features.training.synthesis.annotated_music import Annotation
from chladni_audio_features.training.synthesis.piece_plans import FREE_METER, PITCH_CLASSES

Claim = tuple[float, float, float]
"""Confidence, share that is right, and weight."""

BEAT_WINDOW_SECONDS: Final = 0.07
_TEMPO_TOLERANCE: Final = 0.04
_CENTS_TOLERANCE: Final = 50.0
_POINTS_APART: Final = 10


def claims_of(analysis: MusicAnalysis, annotation: Annotation) -> dict[str, list[Claim]]:
    """Return the claims of an analysis by name."""
    claims: dict[str, list[Claim]] = {
        "meter": [(analysis.meter.confidence, float(analysis.meter.signature == annotation.meter), 1.0)],
        "dynamics": [
            (analysis.dynamics.confidence, float(analysis.dynamics.course == annotation.level_shape), 1.0)
        ],
        "mood": [(analysis.mood.confidence, float(_quadrant_is_right(analysis.mood, annotation)), 1.0)],
    }
    if analysis.keys:
        best = analysis.keys[0]
        name = f"{PITCH_CLASSES[best.tonic]} {'major' if best.is_major else 'minor'}"
        claims["key"] = [(best.confidence, float(name == annotation.key), 1.0)]
    if analysis.meter.tempos and annotation.tempo_bpm:
        tempo = analysis.meter.tempos[0]
        deviation = abs(tempo.beats_per_minute / annotation.tempo_bpm - 1.0)
        claims["tempo"] = [(tempo.confidence, float(deviation <= _TEMPO_TOLERANCE), 1.0)]
    beats = analysis.beats
    if beats.beats_seconds and len(annotation.beats_seconds):
        for kind, confidence, found, known in (
            ("beats", beats.beat_confidence, beats.beats_seconds, annotation.beats_seconds),
            ("downbeats", beats.downbeat_confidence, beats.downbeats_seconds, annotation.downbeats_seconds),
        ):
            claims[kind] = [(confidence, _share_near(np.array(found), known), 1.0)]
    claims["chords"] = _chord_claims(analysis.chords, annotation)
    if annotation.melody_hz.any():
        claims["contour"] = _contour_claims(analysis, annotation)
    return {name: found for name, found in claims.items() if found}


def _share_near(found: npt.NDArray[np.float64], known: npt.NDArray[np.float64]) -> float:
    if not len(found):
        return 0.0
    return float((np.abs(found[:, None] - known).min(axis=1) <= BEAT_WINDOW_SECONDS).mean())


def _chord_claims(chords: tuple[ChordSegment, ...], annotation: Annotation) -> list[Claim]:
    """Return a claim a chord, weighted by its time: the share of it in which root and third are right."""
    claims = []
    for chord in chords:
        right = 0.0
        for start, end, label in annotation.chords:
            root, quality = re.split(":", label)
            is_minor = quality.startswith("min")
            if chord.root == PITCH_CLASSES.index(root) and chord.is_minor == is_minor:
                right += max(0.0, min(end, chord.end_seconds) - max(start, chord.start_seconds))
        length = max(chord.end_seconds - chord.start_seconds, 1e-3)
        claims.append((chord.confidence, min(1.0, right / length), length))
    return claims


def _contour_claims(analysis: MusicAnalysis, annotation: Annotation) -> list[Claim]:
    contour = analysis.contour
    claims = []
    for index in range(0, len(contour.times_seconds), _POINTS_APART):
        place = round(contour.times_seconds[index] / 0.01)
        if contour.confidences[index] <= 0.0 or place >= len(annotation.melody_hz):
            continue
        known = annotation.melody_hz[place]
        if known <= 0.0:
            continue
        distance = abs(contour.cents[index] - 1200.0 * np.log2(known / 440.0))
        claims.append((float(contour.confidences[index]), float(distance <= _CENTS_TOLERANCE), 1.0))
    return claims


def _quadrant_is_right(mood: Mood, annotation: Annotation) -> bool:
    """Compare with what mode and tempo tell listeners first: major is pleasant, fast is exciting."""
    is_fast = annotation.meter != FREE_METER and annotation.tempo_bpm > 100.0
    return (mood.valence > 0.0) == annotation.key.endswith("major") and (mood.arousal > 0.0) == is_fast
