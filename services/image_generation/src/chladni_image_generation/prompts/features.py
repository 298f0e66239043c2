"""Features of music, as `MusicService.AnalyzeMusic` finds them, and what they mean in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.music_features import MAX_FEATURE_CHARACTERS, is_short_enough

_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {
    "tempo_bpm": (1.0, 1000.0),
    "valence": (-1.0, 1.0),
    "arousal": (-1.0, 1.0),
}
_FIELD: Final = "features"
_SLOW_BPM, _FAST_BPM = 85.0, 125.0


@dataclass(frozen=True, kw_only=True)
class MusicFeatures:
    """What is known of a piece of music; empty or None if nothing is.

    Attributes:
        key: Such as "A minor".
        tonality: "major" or "minor".
        tempo_bpm: Beats a minute.
        time_signature: Such as "3/4".
        mood: Words.
        valence: -1 (unpleasant) to 1 (pleasant).
        arousal: -1 (calm) to 1 (excited).
        melody_contour: Such as "ascending".
        harmonic_progression: Such as "i iv V i".
        dynamic_intensity: Such as "crescendo".
    """

    key: str = ""
    tonality: str = ""
    tempo_bpm: float | None = None
    time_signature: str = ""
    mood: tuple[str, ...] = ()
    valence: float | None = None
    arousal: float | None = None
    melody_contour: str = ""
    harmonic_progression: str = ""
    dynamic_intensity: str = ""

    @property
    def is_bright(self) -> bool:
        """Whether it is pleasant, by valence or else by tonality."""
        if self.valence is not None:
            return self.valence >= 0.0
        return "minor" not in (self.tonality or self.key).lower()

    @property
    def is_active(self) -> bool:
        """Whether it is exciting, by arousal or else by tempo."""
        if self.arousal is not None:
            return self.arousal >= 0.0
        return self.pace == "fast"

    @property
    def pace(self) -> str:
        """Return "slow", "moderate" or "fast"."""
        if self.tempo_bpm is None:
            return "moderate"
        return "slow" if self.tempo_bpm < _SLOW_BPM else "fast" if self.tempo_bpm > _FAST_BPM else "moderate"

    def described(self) -> str:
        """Return the features in a sentence, for writers that read."""
        parts = [
            ("key", self.key or self.tonality),
            ("tempo", f"{self.tempo_bpm:.0f} beats a minute" if self.tempo_bpm else ""),
            ("time signature", self.time_signature),
            ("mood", ", ".join(self.mood)),
            ("valence", "" if self.valence is None else f"{self.valence:.2f}"),
            ("arousal", "" if self.arousal is None else f"{self.arousal:.2f}"),
            ("melody", self.melody_contour),
            ("harmony", self.harmonic_progression),
            ("dynamics", self.dynamic_intensity),
        ]
        return "; ".join(f"{name}: {value}" for name, value in parts if value)


def read_features(values: Mapping[str, Any]) -> MusicFeatures:
    """Read features by name.

    Args:
        values: Texts and numbers; `mood` is a list of words.

    Raises:
        InvalidInputError: A value lies outside its range.
    """
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name in _NUMBERS:
            read[name] = _number(name, value)
        elif name == "mood":
            read[name] = tuple(_words(name, value))
        else:
            read[name] = " ".join(_words(name, [value]))
    return MusicFeatures(**read)


def _words(name: str, words: Sequence[str]) -> list[str]:
    if not is_short_enough(words):
        raise _invalid(name, f"must have at most {MAX_FEATURE_CHARACTERS} characters")
    return [cleaned for word in words if (cleaned := " ".join(word.split()))]


def _number(name: str, value: float) -> float:
    low, high = _NUMBERS[name]
    if not math.isfinite(value):
        raise _invalid(name, "must be a number")
    if not low <= value <= high:
        raise _invalid(name, f"must be {low:g} to {high:g}")
    return float(value)


def _invalid(name: str, problem: str) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_FIELD, f"{_FIELD}.{name} {problem}.", field=f"{_FIELD}.{name}")
