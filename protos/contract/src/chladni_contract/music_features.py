"""What is said of music in a few words: the features that prompts are written for, and its course over time.

Both ends use it: the gateway for clips that prompts are wanted for, and the client for analyses that it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES, TEMPORAL_SEGMENTS

if TYPE_CHECKING:
    from chladni.audio.v1alpha1 import music_service_pb2 as music_pb2

_FLAT_CENTS: Final = 200.0
_MAX_NUMERALS: Final = 8
_QUARTERS: Final = ("first quarter", "second quarter", "third quarter", "last quarter")
_LOUD, _SOFT = 1.15, 0.85
_LOUD_MARKINGS: Final = frozenset({"f", "ff"})
_SOFT_MARKINGS: Final = frozenset({"pp", "p"})


def music_features(analysis: music_pb2.AnalyzeMusicResponse) -> dict[str, Any]:
    """Return the features of music by the names that writers of prompts take; what is unknown is absent.

    Args:
        analysis: What `MusicService.AnalyzeMusic` found.
    """
    features: dict[str, Any] = {}
    if analysis.keys:
        features |= {"key": analysis.keys[0].key, "tonality": analysis.keys[0].tonality}
    if analysis.tempos:
        features["tempo_bpm"] = round(min(1000.0, max(1.0, analysis.tempos[0].beats_per_minute)), 1)
    if analysis.meter.signature:
        features["time_signature"] = analysis.meter.signature
    if analysis.HasField("mood"):
        features |= {
            "mood": list(analysis.mood.words[:3]),
            "valence": round(min(1.0, max(-1.0, analysis.mood.valence)), 3),
            "arousal": round(min(1.0, max(-1.0, analysis.mood.arousal)), 3),
        }
    if contour := contour_shape([point.cents for point in analysis.contour.points]):
        features["melody_contour"] = contour
    if numerals := _numerals(analysis):
        features["harmonic_progression"] = " ".join(numerals)
    if dynamics := _dynamics(analysis.dynamics):
        features["dynamic_intensity"] = dynamics
    return features


def contour_shape(cents: Sequence[float]) -> str:
    """Return the shape of a melody: ascending, descending, arch, valley, wavy or flat; empty without points.

    Args:
        cents: Pitches in cents, in the order of time.
    """
    if len(cents) < 3:
        return ""
    third = max(1, len(cents) // 3)
    begin, middle, end = fmean(cents[:third]), fmean(cents[third:-third] or cents), fmean(cents[-third:])
    ordered = sorted(cents)
    spread = ordered[int(0.9 * (len(ordered) - 1))] - ordered[int(0.1 * (len(ordered) - 1))]
    if spread < _FLAT_CENTS:
        return "flat"
    rise, bulge = end - begin, middle - (begin + end) / 2.0
    if abs(bulge) >= max(0.5 * abs(rise), 0.3 * spread):
        return "arch" if bulge > 0.0 else "valley"
    if abs(rise) >= 0.35 * spread:
        return "ascending" if rise > 0.0 else "descending"
    return "wavy"


def time_course(values: Sequence[float]) -> str:
    """Return the course of audio over time in words, quarter by quarter.

    Args:
        values: Its embedding in the space of descriptors.
    """
    width = len(TEMPORAL_FEATURES)
    begin = len(DESCRIPTOR_NAMES)
    segments = [
        dict(zip(TEMPORAL_FEATURES, values[begin + n * width : begin + (n + 1) * width], strict=True))
        for n in range(TEMPORAL_SEGMENTS)
    ]
    per_quarter = TEMPORAL_SEGMENTS // len(_QUARTERS)
    quarters = [segments[n : n + per_quarter] for n in range(0, TEMPORAL_SEGMENTS, per_quarter)]
    words = (("loud", "soft", "level"), ("bright", "dark", "brightness"), ("busy", "sparse", "onset"))
    described = []
    for name, quarter in zip(_QUARTERS, quarters, strict=True):
        found = [_compared(more, less, feature, quarter, segments) for more, less, feature in words]
        described.append(f"{name} {', '.join(word for word in found if word) or 'as the whole'}")
    return "; ".join(described)


def _compared(
    more: str, less: str, feature: str, part: Sequence[dict[str, float]], whole: Sequence[dict[str, float]]
) -> str:
    mean = fmean(segment[feature] for segment in whole)
    here = fmean(segment[feature] for segment in part)
    return more if here > mean * _LOUD + 1e-6 else less if here < mean * _SOFT - 1e-6 else ""


def _numerals(analysis: music_pb2.AnalyzeMusicResponse) -> list[str]:
    """Return the degrees of the chords, each once in a row."""
    numerals: list[str] = []
    for chord in analysis.chords:
        if chord.roman_numeral and numerals[-1:] != [chord.roman_numeral]:
            numerals.append(chord.roman_numeral)
    return numerals[:_MAX_NUMERALS]


def _dynamics(dynamics: music_pb2.Dynamics) -> str:
    """Return the course of the level, or how loud it is if it is steady."""
    if dynamics.course == "steady":
        if dynamics.marking in _LOUD_MARKINGS:
            return "loud"
        if dynamics.marking in _SOFT_MARKINGS:
            return "soft"
    return dynamics.course
