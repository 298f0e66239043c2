"""Plans of pieces of music with everything known that an analysis of music should find.

A piece loops a chord progression in a key and a meter, with a bass, a melody, drums or without, in a tempo
that may drift, with swing, out of concert pitch. Loops begin on any of their chords; what marks the tonic
is what marks it in music: the cadence onto it and the notes on which the melody's phrases end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from chladni_audio_features.training.synthesis.timbres import (
    BRASS,
    FLUTE,
    HARP,
    ORGAN,
    PAD,
    PIANO,
    PLUCK,
    REED,
    SINE,
    STRINGS,
    Timbre,
)

PITCH_CLASSES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

FREE_METER: Final = "none"

MAJOR_LOOPS: Final = (
    ("I", "V", "vi", "IV"),
    ("I", "IV", "V", "I"),
    ("I", "vi", "IV", "V"),
    ("ii", "V", "I", "I"),
    ("I", "iii", "IV", "V"),
    ("I", "IV", "ii", "V"),
    ("I", "V", "IV", "I"),
    ("I", "ii", "V", "I"),
)
MINOR_LOOPS: Final = (
    ("i", "iv", "V", "i"),
    ("i", "VI", "iv", "V"),
    ("i", "VII", "VI", "V"),
    ("i", "iv", "VII", "i"),
    ("i", "v", "iv", "i"),
    ("i", "VI", "VII", "i"),
    ("i", "iv", "i", "V"),
)


CHORD_TIMBRES: Final = (PIANO, PLUCK, HARP, ORGAN, STRINGS, PAD, BRASS, REED)
MELODY_TIMBRES: Final = (FLUTE, REED, BRASS, PIANO, SINE, PLUCK, HARP)


@dataclass(frozen=True)
class Meter:
    """A time signature.

    Attributes:
        name: Such as "6/8".
        beats_per_bar: Beats in a bar, as they are counted: two in 6/8, seven in 7/8.
        beat_quarters: Length of a beat in quarter notes.
        strong_beats: Beats that begin a group; the first is 0.
    """

    name: str
    beats_per_bar: int
    beat_quarters: float
    strong_beats: tuple[int, ...]

    @property
    def bar_quarters(self) -> float:
        """Length of a bar in quarter notes."""
        return self.beats_per_bar * self.beat_quarters


METERS: Final = {
    meter.name: meter
    for meter in (
        Meter("2/4", 2, 1.0, (0,)),
        Meter("3/4", 3, 1.0, (0,)),
        Meter("4/4", 4, 1.0, (0, 2)),
        Meter("5/4", 5, 1.0, (0, 3)),
        Meter("6/8", 2, 1.5, (0, 1)),
        Meter("7/8", 7, 0.5, (0, 2, 4)),
    )
}


@dataclass(frozen=True, kw_only=True)
class AnnotatedPiece:
    """What a piece is made of.

    Attributes:
        tonic: Pitch class of the tonic, 0 for C.
        is_major: Major or natural minor, whose dominant may be major.
        meter: One of `METERS`, or `FREE_METER`.
        tempo_bpm: Quarter notes a minute; dotted ones in 6/8.
        loop: Roman numerals, one a bar.
        loop_start: Chord of the loop that begins.
        has_drums: Whether drums play.
        has_melody: Whether a melody plays.
        has_chords: Whether chords and a bass play.
        swing: Place of the second eighth in a quarter, 0.5 for even ones.
        drift: Relative change of the tempo from beginning to end.
        detuning_cents: Distance from concert pitch.
        texture: "block", "comping", "arpeggio" or "sustained".
        chord_timbre: Instrument of the chords.
        melody_timbre: Instrument of the melody.
        sevenths: Whether chords have sevenths.
        duration_seconds: Length.
        lead_in_seconds: Silence before the first note.
        noise_db: Level of background noise relative to full scale.
        level_shape: "steady", "crescendo", "diminuendo" or "swell".
    """

    tonic: int
    is_major: bool
    meter: str
    tempo_bpm: float
    loop: tuple[str, ...]
    loop_start: int = 0
    has_drums: bool = False
    has_melody: bool = True
    has_chords: bool = True
    swing: float = 0.5
    drift: float = 0.0
    detuning_cents: float = 0.0
    texture: str = "block"
    chord_timbre: Timbre = PIANO
    melody_timbre: Timbre = FLUTE
    sevenths: bool = False
    duration_seconds: float = 12.0
    lead_in_seconds: float = 0.0
    noise_db: float = -70.0
    level_shape: str = "steady"


def random_piece(
    rng: np.random.Generator, *, hard: bool, has_drums: bool | None = None, meter: str | None = None
) -> AnnotatedPiece:
    """Draw a piece.

    Args:
        rng: What to draw by.
        hard: Whether it may be detuned, swung, drifting, noisy, and begin anywhere in its loop.
        has_drums: Whether drums play; `None` to draw it.
        meter: Time signature; `None` to draw it.
    """
    is_major = bool(rng.random() < 0.5)
    loops = MAJOR_LOOPS if is_major else MINOR_LOOPS
    loop = loops[rng.integers(len(loops))]
    name = meter or str(
        rng.choice(["2/4", "2/4", "3/4", "4/4", "4/4", "4/4", "5/4", "6/8", "7/8", FREE_METER])
    )
    low, high = {"6/8": (54.0, 126.0), "7/8": (70.0, 150.0)}.get(name, (54.0, 186.0))
    drums = bool(rng.random() < 0.5) if has_drums is None else has_drums
    return AnnotatedPiece(
        tonic=int(rng.integers(12)),
        is_major=is_major,
        meter=name,
        tempo_bpm=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        loop=loop,
        loop_start=int(rng.integers(len(loop))) if hard else 0,
        has_drums=drums,
        has_melody=bool(rng.random() < (0.7 if hard else 0.5)),
        swing=float(rng.choice([0.5, 0.5, 0.6, 0.66])) if hard else 0.5,
        drift=float(rng.uniform(-0.06, 0.06)) if hard else 0.0,
        detuning_cents=float(rng.uniform(-45.0, 45.0)) if hard else 0.0,
        texture=str(rng.choice(["block", "comping", "arpeggio", "sustained"])),
        chord_timbre=CHORD_TIMBRES[rng.integers(len(CHORD_TIMBRES))],
        melody_timbre=MELODY_TIMBRES[rng.integers(len(MELODY_TIMBRES))],
        sevenths=bool(hard and rng.random() < 0.3),
        duration_seconds=float(rng.uniform(10.0, 16.0)),
        lead_in_seconds=float(rng.uniform(0.0, 0.6)) if hard else 0.0,
        noise_db=float(rng.uniform(-60.0, -38.0)) if hard else -70.0,
        level_shape=str(rng.choice(["steady", "steady", "crescendo", "diminuendo", "swell"])),
    )
