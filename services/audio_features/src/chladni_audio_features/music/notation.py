"""The melody as a score in ABC notation 2.1 (abcnotation.com/wiki/abc:standard:v2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from chladni_audio_features.music.beats import BeatTrack
from chladni_audio_features.music.frontend import FloatArray
from chladni_audio_features.music.key import KeyCandidate
from chladni_audio_features.music.melody import MelodyContour
from chladni_audio_features.music.meter import FREE, SIGNATURES

_SHORTEST_NOTE_SECONDS: Final = 0.06
_SAME_ONSET_SECONDS: Final = 0.05
_FREE_BPM: Final = 120
_FREE_UNITS_A_SECOND: Final = 16.0  # thirty-seconds at 120 quarter notes a minute
_UNITS_PER_BEAT: Final = {"6/8": 6, "7/8": 2}
_BARS_A_LINE: Final = 4

_LETTERS: Final = ("C", "D", "E", "F", "G", "A", "B")
_NATURAL: Final = (0, 2, 4, 5, 7, 9, 11)
_SHARPS: Final = ("F", "C", "G", "D", "A", "E", "B")
_ACCIDENTALS: Final = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


@dataclass(frozen=True)
class MelodyNote:
    """A note of the melody.

    Attributes:
        start_seconds: Start.
        end_seconds: End.
        midi_note: Number of the note, 69 for A4.
    """

    start_seconds: float
    end_seconds: float
    midi_note: int


def melody_notes(
    contour: MelodyContour, *, tuning_cents: float, onsets_seconds: FloatArray
) -> list[MelodyNote]:
    """Divide a contour into notes: where the semitone changes, and where one is struck again.

    Args:
        contour: The melody.
        tuning_cents: What to take as concert pitch lies so far above it.
        onsets_seconds: Where something begins; they divide the notes of a single voice.
    """
    semitones = np.round((contour.cents - tuning_cents) / 100.0)
    notes: list[MelodyNote] = []
    start = 0
    for index in range(1, len(semitones) + 1):
        if index < len(semitones) and _equal(semitones[index], semitones[start]):
            continue
        if not np.isnan(semitones[start]):
            end = contour.times_seconds[index] if index < len(semitones) else contour.times_seconds[-1]
            notes.append(
                MelodyNote(float(contour.times_seconds[start]), float(end), 69 + int(semitones[start]))
            )
        start = index
    notes = [note for note in notes if note.end_seconds - note.start_seconds >= _SHORTEST_NOTE_SECONDS]
    return _struck_again(notes, onsets_seconds) if contour.is_solo else notes


def write_abc(
    notes: Sequence[MelodyNote],
    *,
    beats: BeatTrack,
    signature: str,
    tempo_bpm: float | None,
    key: KeyCandidate | None,
) -> str:
    """Write notes as a tune; empty for no notes.

    Args:
        notes: In order, none overlapping the next.
        beats: Where beats and bars fall; without them time is written as at 120 quarter notes a minute.
        signature: Time signature or "none".
        tempo_bpm: Tempo; None for music without one.
        key: Key; None for C without accidentals.
    """
    if not notes:
        return ""
    is_free = signature == FREE or tempo_bpm is None or len(beats.beats_seconds) < 2
    if is_free:
        starts = _free_positions(notes)
        header = ["M:none", "L:1/32", f"Q:1/4={_FREE_BPM}"]
        bar_units = 0
    else:
        per_beat = _UNITS_PER_BEAT.get(signature, 4)
        starts = _metric_positions(notes, beats, per_beat)
        meter = next(meter for meter in SIGNATURES if meter.name == signature)
        bar_units = per_beat * meter.beats_per_bar
        unit = "3/8" if signature == "6/8" else "1/4"
        header = [f"M:{signature}", "L:1/16", f"Q:{unit}={round(tempo_bpm or 0)}"]
    speller = _Speller(key)
    tune = _Tune(bar_units, speller)
    position = starts[0][0] if is_free else _first_bar(starts[0][0], bar_units)
    position = min(position, 0) if is_free else position
    for (start, end), note in zip(starts, notes, strict=True):
        tune.rest(start - position)
        tune.note(note.midi_note, end - start)
        position = end
    return "\n".join(["X:1", "T:Melody", *header, f"K:{speller.name}", tune.text()]) + "\n"


def _equal(first: float, second: float) -> bool:
    return first == second or (bool(np.isnan(first)) and bool(np.isnan(second)))


def _struck_again(notes: list[MelodyNote], onsets_seconds: FloatArray) -> list[MelodyNote]:
    divided = []
    for note in notes:
        inside = [
            float(onset)
            for onset in onsets_seconds
            if note.start_seconds + _SAME_ONSET_SECONDS < onset < note.end_seconds - _SAME_ONSET_SECONDS
        ]
        bounds = [note.start_seconds, *inside, note.end_seconds]
        divided += [MelodyNote(start, end, note.midi_note) for start, end in pairwise(bounds)]
    return divided


def _free_positions(notes: Sequence[MelodyNote]) -> list[tuple[int, int]]:
    return _rounded(
        [
            (note.start_seconds * _FREE_UNITS_A_SECOND, note.end_seconds * _FREE_UNITS_A_SECOND)
            for note in notes
        ]
    )


def _metric_positions(
    notes: Sequence[MelodyNote], beats: BeatTrack, units_per_beat: int
) -> list[tuple[int, int]]:
    """Return start and end of each note in units from the first downbeat; those before it are negative."""
    times = np.array(beats.beats_seconds)
    period = float(np.median(np.diff(times)))
    before, after = int(times[0] / period) + 2, 64
    extended = np.concatenate(
        [times[0] - period * np.arange(before, 0, -1), times, times[-1] + period * np.arange(1, after)]
    )
    first = beats.downbeats_seconds[0] if beats.downbeats_seconds else times[0]
    origin = before + int(np.argmin(np.abs(times - first)))
    places = np.arange(len(extended)) - origin
    return _rounded(
        [
            tuple(  # type: ignore[misc]
                float(np.interp(second, extended, places)) * units_per_beat
                for second in (note.start_seconds, note.end_seconds)
            )
            for note in notes
        ]
    )


def _rounded(spans: list[tuple[float, float]]) -> list[tuple[int, int]]:
    """Round to whole units; every note keeps at least one, and none begins before another's end."""
    rounded: list[tuple[int, int]] = []
    for start, end in spans:
        first = max(round(start), rounded[-1][1] if rounded else round(start))
        rounded.append((first, max(first + 1, round(end))))
    return rounded


def _first_bar(start: int, bar_units: int) -> int:
    """Return the beginning of the bar that the first note is in."""
    return start // bar_units * bar_units


class _Speller:
    """Spells notes in a key, with the accidentals that a bar needs."""

    def __init__(self, key: KeyCandidate | None) -> None:
        self.name = "C" if key is None else key.name.split()[0] + ("" if key.is_major else "m")
        fifths = 0
        if key is not None:
            major_tonic = key.tonic if key.is_major else (key.tonic + 3) % 12
            fifths = (major_tonic * 7) % 12
            letter, flat = key.name[0], "b" in key.name.split()[0]
            sharp = "#" in key.name.split()[0]
            fifths = _signature_fifths(letter, flat=flat, sharp=sharp, is_major=key.is_major)
        self._signature = dict.fromkeys(_LETTERS, 0)
        for index in range(abs(fifths)):
            letter = _SHARPS[index] if fifths > 0 else _SHARPS[-1 - index]
            self._signature[letter] = 1 if fifths > 0 else -1
        self._prefers_sharps = fifths >= 0
        self._altered: set[str] = set()

    def begin_bar(self) -> None:
        """Forget the accidentals of the bar before."""
        self._altered.clear()

    def spell(self, midi_note: int) -> str:
        """Return a note, its length apart."""
        letter, alteration = self._letter_of(midi_note % 12)
        octave = (midi_note - alteration) // 12 - 5
        accidental = ""
        if alteration != self._signature[letter] or letter in self._altered:
            accidental = _ACCIDENTALS[alteration]
            self._altered.add(letter)
        if octave >= 1:
            return accidental + letter.lower() + "'" * (octave - 1)
        return accidental + letter + "," * -octave

    def _letter_of(self, pitch_class: int) -> tuple[str, int]:
        for letter, natural in zip(_LETTERS, _NATURAL, strict=True):
            if (natural + self._signature[letter]) % 12 == pitch_class:
                return letter, self._signature[letter]
        for letter, natural in zip(_LETTERS, _NATURAL, strict=True):
            if natural == pitch_class:
                return letter, 0
        step = 1 if self._prefers_sharps else -1
        for letter, natural in zip(_LETTERS, _NATURAL, strict=True):
            if (natural + step) % 12 == pitch_class:
                return letter, step
        raise ValueError(f"no pitch class: {pitch_class}")


def _signature_fifths(letter: str, *, flat: bool, sharp: bool, is_major: bool) -> int:
    """Return the sharps of a key's signature, negative for flats."""
    fifths = _SHARPS.index(letter) - 1 + 7 * sharp - 7 * flat
    return fifths if is_major else fifths - 3


class _Tune:
    """Bars of notes and rests; what crosses a bar line is tied."""

    def __init__(self, bar_units: int, speller: _Speller) -> None:
        self._bar_units = bar_units
        self._speller = speller
        self._position = 0
        self._bars: list[list[str]] = [[]]

    def rest(self, units: int) -> None:
        """Add a rest."""
        for part, _ in self._parts(units):
            self._bars[-1].append(f"z{part}")
            self._advance(part)

    def note(self, midi_note: int, units: int) -> None:
        """Add a note."""
        for part, is_last in self._parts(units):
            tie = "" if is_last else "-"
            self._bars[-1].append(f"{self._speller.spell(midi_note)}{part}{tie}")
            self._advance(part)

    def text(self) -> str:
        """Return the body of the tune."""
        bars = [" ".join(bar) for bar in self._bars if bar]
        lines = [bars[start : start + _BARS_A_LINE] for start in range(0, len(bars), _BARS_A_LINE)]
        return " |\n".join(" | ".join(line) for line in lines) + " |]"

    def _parts(self, units: int) -> list[tuple[int, bool]]:
        """Divide a length at the bar lines: the parts, and which is the last."""
        if not self._bar_units:
            return [(units, True)] if units > 0 else []
        parts, position = [], self._position
        while units > 0:
            part = min(units, self._bar_units - position % self._bar_units)
            units, position = units - part, position + part
            parts.append((part, units == 0))
        return parts

    def _advance(self, units: int) -> None:
        self._position += units
        if self._bar_units and self._position % self._bar_units == 0:
            self._bars.append([])
            self._speller.begin_bar()
