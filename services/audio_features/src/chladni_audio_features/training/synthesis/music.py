"""Composition: chord progressions, textures and melodies in a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chladni_audio_features.training.synthesis.effects import mix, with_room
from chladni_audio_features.training.synthesis.percussion import PATTERNS, render_pattern
from chladni_audio_features.training.synthesis.timbres import (
    BASS,
    INSTRUMENTS,
    Samples,
    Timbre,
    render_tone,
)

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)

# Scale degrees, 0 for the tonic. Each begins or ends at home, so that the key is heard.
MAJOR_PROGRESSIONS = ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4), (0, 0, 3, 0))
MINOR_PROGRESSIONS = ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4), (0, 3, 0, 4), (0, 0, 3, 0))

TEXTURES = ("block", "arpeggio", "alberti", "melody", "drone")


@dataclass(frozen=True)
class Note:
    """One note: when, how long, how high (MIDI note), how loud (0 to 1), on what."""

    start_seconds: float
    duration_seconds: float
    midi_note: float
    velocity: float
    timbre: Timbre


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What a piece of music is made of.

    Attributes:
        tonic: MIDI note of the tonic in the middle register.
        is_major: major or natural minor.
        tempo_bpm: beats per minute.
        progression: scale degree of each bar's chord, repeated as needed.
        texture: one of `TEXTURES`.
        timbre: instrument of the chords or the melody.
        duration_seconds: length.
        beats_per_bar: beats in a bar.
        has_bass: whether a bass plays the roots.
        drum_pattern: what the drums play, if there are any.
        room_seconds: reverberation time.
        legato: length of a note relative to the time until the next one.
    """

    tonic: int
    is_major: bool
    tempo_bpm: float
    progression: Sequence[int]
    texture: str
    timbre: Timbre
    duration_seconds: float
    beats_per_bar: int = 4
    has_bass: bool = True
    drum_pattern: int | None = None
    room_seconds: float = 0.8
    legato: float = 0.95


def random_piece(rng: np.random.Generator, *, duration_seconds: float) -> Piece:
    """Draw a piece."""
    is_major = bool(rng.random() < 0.5)
    progressions = MAJOR_PROGRESSIONS if is_major else MINOR_PROGRESSIONS
    has_drums = rng.random() < 0.35
    return Piece(
        tonic=int(rng.integers(48, 72)),
        is_major=is_major,
        tempo_bpm=float(np.exp(rng.uniform(np.log(55.0), np.log(185.0)))),
        progression=progressions[rng.integers(len(progressions))],
        texture=str(rng.choice(TEXTURES)),
        timbre=INSTRUMENTS[rng.integers(len(INSTRUMENTS))],
        duration_seconds=duration_seconds,
        beats_per_bar=int(rng.choice((2, 3, 4, 4))),
        has_bass=bool(rng.random() < 0.5),
        drum_pattern=int(rng.integers(len(PATTERNS))) if has_drums else None,
        room_seconds=float(rng.uniform(0.2, 2.5)),
        legato=float(rng.uniform(0.4, 1.1)),
    )


def render_piece(piece: Piece, *, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Compose and play a piece."""
    mixture = render_notes(
        compose(piece, rng), duration_seconds=piece.duration_seconds, rate_hz=rate_hz, rng=rng
    )
    if piece.drum_pattern is not None:
        mixture = mixture + 0.5 * render_pattern(
            PATTERNS[piece.drum_pattern],
            tempo_bpm=piece.tempo_bpm,
            duration_seconds=piece.duration_seconds,
            rate_hz=rate_hz,
            rng=rng,
        )
    return with_room(mixture, decay_seconds=piece.room_seconds, wetness=0.25, rate_hz=rate_hz, rng=rng)


def compose(piece: Piece, rng: np.random.Generator) -> list[Note]:
    """Write the notes of a piece, bar by bar."""
    bar_seconds = 60.0 / piece.tempo_bpm * piece.beats_per_bar
    bars = int(np.ceil(piece.duration_seconds / bar_seconds))
    notes: list[Note] = []
    degree_in_scale = 4  # the melody starts on the fifth and wanders
    for bar in range(bars):
        start = bar * bar_seconds
        degree = piece.progression[bar % len(piece.progression)]
        chord = chord_notes(piece, degree)
        if piece.texture == "melody":
            melody, degree_in_scale = _melody(piece, start, degree_in_scale, rng)
            notes += melody
        else:
            notes += _accompaniment(piece, chord, start, bar_seconds)
        if piece.has_bass:
            notes.append(Note(start, bar_seconds * 0.9, chord[0] - 12, 0.8, BASS))
    return notes


def chord_notes(piece: Piece, degree: int) -> tuple[int, int, int]:
    """Return the triad on a degree of the piece's scale, as MIDI notes."""
    return (
        scale_note(piece, degree),
        scale_note(piece, degree + 2),
        scale_note(piece, degree + 4),
    )


def scale_note(piece: Piece, degree: int) -> int:
    """Return the MIDI note of a scale degree; degrees beyond 0 to 6 reach into other octaves."""
    scale = MAJOR_SCALE if piece.is_major else MINOR_SCALE
    octave, step = divmod(degree, len(scale))
    return piece.tonic + 12 * octave + scale[step]


def render_notes(
    notes: Sequence[Note], *, duration_seconds: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    """Play notes."""
    tones = (
        (
            note.start_seconds,
            note.velocity
            * render_tone(
                note.timbre,
                midi_note=note.midi_note,
                duration_seconds=note.duration_seconds,
                sample_rate_hz=rate_hz,
                rng=rng,
            ),
        )
        for note in notes
    )
    return mix(tones, duration_seconds=duration_seconds, rate_hz=rate_hz)


def _accompaniment(piece: Piece, chord: tuple[int, int, int], start: float, bar_seconds: float) -> list[Note]:
    beat_seconds = bar_seconds / piece.beats_per_bar
    low, middle, high = chord
    if piece.texture == "drone":
        return [
            Note(start, bar_seconds, note, 0.5, replace(piece.timbre, decay_seconds=0.0))
            for note in (piece.tonic - 12, piece.tonic, piece.tonic + 7)
        ]
    if piece.texture == "block":
        return [
            Note(start + beat * beat_seconds, beat_seconds * piece.legato, note, 0.5, piece.timbre)
            for beat in range(piece.beats_per_bar)
            for note in chord
        ]
    figure = (
        (low, middle, high, low + 12, high, middle)
        if piece.texture == "arpeggio"
        else (low, high, middle, high)
    )
    step_seconds = beat_seconds / 2.0
    return [
        Note(
            start + step * step_seconds,
            step_seconds * piece.legato,
            figure[step % len(figure)],
            0.8 if step % 2 == 0 else 0.6,
            piece.timbre,
        )
        for step in range(2 * piece.beats_per_bar)
    ]


def _melody(piece: Piece, start: float, degree: int, rng: np.random.Generator) -> tuple[list[Note], int]:
    """Compose a bar of melody that moves mostly by step; return it and the degree it ends on."""
    beat_seconds = 60.0 / piece.tempo_bpm
    notes = []
    for beat in range(piece.beats_per_bar):
        for half in range(int(rng.integers(1, 3))):
            step_seconds = beat_seconds / (1 + half)
            notes.append(
                Note(
                    start + (beat + 0.5 * half) * beat_seconds,
                    step_seconds * piece.legato,
                    scale_note(piece, degree),
                    0.8,
                    piece.timbre,
                )
            )
            degree = int(np.clip(degree + rng.choice((-2, -1, -1, 1, 1, 2)), -3, 9))
    return notes, degree
