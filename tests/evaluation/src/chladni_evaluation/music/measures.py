"""The measures of the analyses of music, by mir_eval (Raffel et al. 2014)."""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import mir_eval
import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.music.analysis import MusicAnalysis, analyse_music
from chladni_audio_features.music.chords import ChordSegment
from chladni_audio_features.music.melody import CONCERT_A_HZ, MelodyContour
from chladni_audio_features.training.music_claims import Claim, claims_of
from chladni_audio_features.training.synthesis.annotated_music import Annotation, render_annotated
from chladni_audio_features.training.synthesis.piece_plans import (
    FREE_METER,
    PITCH_CLASSES,
    AnnotatedPiece,
    random_piece,
)
from chladni_benchmarks.figures import Figures

FIGURES_OF_THE_LITERATURE: Final[Figures] = {
    # Korzeniowski & Widmer 2017, "End-to-end musical key estimation using a convolutional neural network".
    "literature.key.giantsteps.mirex": 0.743,
    # Böck & Davies 2020, "Deconstruct, analyse, reconstruct: how to improve tempo, beat, and downbeat
    # estimation". "literature.tempo.gtzan.acc1": 0.83,
    "literature.tempo.gtzan.acc2": 0.95,
    "literature.beats.gtzan.f": 0.885,
    "literature.downbeats.gtzan.f": 0.672,
    # Mauch & Dixon 2010, whose note transcription the chords are found by, on the set of MIREX 2009.
    "literature.chords.mirex2009.overlap": 0.80,
    # SwiftF0 and pYIN in the benchmark of SwiftF0's author (harmonic mean of six measures).
    "literature.pitch.swift_f0": 0.902,
    "literature.pitch.pyin": 0.787,
}
"""Reported figures on recordings of real music."""

_EASY_EVERY: Final = 3
_SOLO_EVERY: Final = 4
_TEMPO_TOLERANCE: Final = 0.04
_OCTAVES: Final = (1.0, 2.0, 3.0, 1.0 / 2.0, 1.0 / 3.0)
_CALIBRATION_BINS: Final = 10
_QUALITIES: Final = {
    "": "maj",
    "m": "min",
    "7": "7",
    "maj7": "maj7",
    "m7": "min7",
    "dim": "dim",
    "sus4": "sus4",
}
_TIMED_RUNS: Final = 5


def measure_music(count: int, *, seed: int) -> Figures:
    """Make pieces, analyse them and measure what was found.

    Args:
        count: Pieces; one in three is easy. A quarter as many melodies of one voice come beside them.
        seed: Decides the pieces; the shipped networks were fitted with another.
    """
    scores: defaultdict[str, list[float]] = defaultdict(list)
    claims: defaultdict[str, list[Claim]] = defaultdict(list)
    for index in range(count):
        rng = np.random.default_rng([seed, 1, index])
        is_hard = index % _EASY_EVERY != 0
        piece = random_piece(rng, hard=is_hard)
        samples, annotation = render_annotated(piece, rate_hz=ANALYSIS_SAMPLE_RATE_HZ, rng=rng)
        analysis = analyse_music(samples.astype(np.float32))
        for name, score in _scores(analysis, annotation, piece, is_hard=is_hard).items():
            scores[name].append(score)
        for name, found in claims_of(analysis, annotation).items():
            claims[name] += found
    for index in range(max(1, count // _SOLO_EVERY)):
        rng = np.random.default_rng([seed, 2, index])
        piece = replace(
            random_piece(rng, hard=True, has_drums=False),
            has_melody=True,
            has_chords=False,
            duration_seconds=8.0,
        )
        samples, annotation = render_annotated(piece, rate_hz=ANALYSIS_SAMPLE_RATE_HZ, rng=rng)
        analysis = analyse_music(samples.astype(np.float32))
        scores["contour.rpa50"].append(_contour_accuracy(analysis.contour, annotation))
        claims["contour"] += claims_of(analysis, annotation).get("contour", [])
    figures: Figures = {name: float(np.mean(values)) for name, values in scores.items()}
    figures["pieces"] = count
    return figures | _calibration(claims) | _speed(seed)


def _scores(
    analysis: MusicAnalysis, annotation: Annotation, piece: AnnotatedPiece, *, is_hard: bool
) -> dict[str, float]:
    part = "hard" if is_hard else "easy"
    key = ""
    if analysis.keys:
        best = analysis.keys[0]
        key = f"{PITCH_CLASSES[best.tonic]} {'major' if best.is_major else 'minor'}"
    scores = {
        f"key.{part}.mirex": mir_eval.key.weighted_score(annotation.key, key) if key else 0.0,
        f"key.{part}.exact": float(key == annotation.key),
        "meter.accuracy": float(analysis.meter.signature == annotation.meter),
        f"meter.{piece.meter.replace('/', '-')}.accuracy": float(
            analysis.meter.signature == annotation.meter
        ),
        "chords.overlap": chord_overlap(analysis.chords, annotation, "majmin"),
        "chords.root.overlap": chord_overlap(analysis.chords, annotation, "root"),
        "chords.sevenths.overlap": chord_overlap(analysis.chords, annotation, "sevenths"),
    }
    if annotation.meter != FREE_METER:
        found = analysis.meter.tempos[0].beats_per_minute if analysis.meter.tempos else 1.0
        drums = "drums" if piece.has_drums else "nodrums"
        is_right = abs(found / annotation.tempo_bpm - 1.0) <= _TEMPO_TOLERANCE
        is_octave = any(
            abs(found * factor / annotation.tempo_bpm - 1.0) <= _TEMPO_TOLERANCE for factor in _OCTAVES
        )
        beats, downbeats = analysis.beats.beats_seconds, analysis.beats.downbeats_seconds
        scores |= {
            f"tempo.{drums}.acc1": float(is_right),
            "tempo.all.acc1": float(is_right),
            "tempo.all.acc2": float(is_octave),
            "beats.f": mir_eval.beat.f_measure(annotation.beats_seconds, np.array(beats)),
            "downbeats.f": mir_eval.beat.f_measure(annotation.downbeats_seconds, np.array(downbeats)),
        }
    if piece.has_melody:
        scores["contour.accompanied.rpa50"] = _contour_accuracy(analysis.contour, annotation)
    return scores


def chord_overlap(chords: Sequence[ChordSegment], annotation: Annotation, vocabulary: str) -> float:
    """Return the share of time in which the chords agree, of that in which mir_eval compares them."""
    known = np.array([(start, end) for start, end, _ in annotation.chords])
    labels = [label for _, _, label in annotation.chords]
    if not chords:
        return 0.0
    found = np.array([(chord.start_seconds, chord.end_seconds) for chord in chords])
    found_labels = [
        "N" if chord.root is None else f"{PITCH_CLASSES[chord.root]}:{_QUALITIES[chord.quality]}"
        for chord in chords
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, found_labels = mir_eval.util.adjust_intervals(
            found, found_labels, known.min(), known.max(), "N", "N"
        )
        intervals, labels, found_labels = mir_eval.util.merge_labeled_intervals(
            known, labels, found, found_labels
        )
        agreements = getattr(mir_eval.chord, vocabulary)(labels, found_labels)
        durations = mir_eval.util.intervals_to_durations(intervals)
        return float(mir_eval.chord.weighted_accuracy(agreements, durations))


def _contour_accuracy(contour: MelodyContour, annotation: Annotation) -> float:
    frequencies = CONCERT_A_HZ * 2.0 ** (np.nan_to_num(contour.cents) / 1200.0)
    frequencies[np.isnan(contour.cents)] = 0.0
    voicing = mir_eval.melody.to_cent_voicing(
        annotation.melody_times_seconds, annotation.melody_hz, contour.times_seconds, frequencies
    )
    return float(mir_eval.melody.raw_pitch_accuracy(*voicing, cent_tolerance=50))


def _calibration(claims: dict[str, list[Claim]]) -> Figures:
    """Return the expected calibration errors: of each kind of claim, and their mean."""
    errors = {name: expected_calibration_error(np.array(found)) for name, found in claims.items()}
    figures: Figures = {f"confidence.{name}.ece": error for name, error in errors.items()}
    return figures | {"confidence.ece": float(np.mean(list(errors.values())))}


def expected_calibration_error(claims: npt.NDArray[np.float64]) -> float:
    """Return the mean distance of confidences from the share that is right, in ten bins (Guo et al. 2017).

    Args:
        claims: (n, 3) of confidence, share that is right, and weight.
    """
    bins = np.minimum((claims[:, 0] * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    error = 0.0
    for place in range(_CALIBRATION_BINS):
        chosen = claims[bins == place]
        weight = chosen[:, 2].sum()
        if weight > 0.0:
            gap = (chosen[:, 0] - chosen[:, 1]) * chosen[:, 2]
            error += abs(float(gap.sum())) / float(claims[:, 2].sum())
    return error


def _speed(seed: int) -> Figures:
    """Return the times that a clip of 10 s takes, once everything is warm."""
    rng = np.random.default_rng([seed, 3])
    piece = replace(random_piece(rng, hard=True, meter="4/4"), duration_seconds=10.0)
    samples, _ = render_annotated(piece, rate_hz=ANALYSIS_SAMPLE_RATE_HZ, rng=rng)
    clip = samples.astype(np.float32)
    analyse_music(clip)
    elapsed, processor = [], []
    for _ in range(_TIMED_RUNS):
        started_at, used = time.perf_counter(), time.process_time()
        analyse_music(clip)
        elapsed.append(time.perf_counter() - started_at)
        processor.append(time.process_time() - used)
    return {
        "speed.seconds_of_10_s": float(np.median(elapsed)),
        "speed.processor_seconds_of_10_s": float(np.median(processor)),
    }
