"""Pieces of music by plan, composed and played, with the annotations that an analysis should find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.training.synthesis.effects import mix, normalised, with_room
from chladni_audio_features.training.synthesis.music import Note
from chladni_audio_features.training.synthesis.percussion import DRUMS
from chladni_audio_features.training.synthesis.piece_plans import (
    FREE_METER,
    METERS,
    PITCH_CLASSES,
    AnnotatedPiece,
    Meter,
)
from chladni_audio_features.training.synthesis.timbres import BASS, Samples, Timbre, render_tone

_DEGREES: Final = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_MINOR_DEGREES: Final = {"i": 0, "ii": 2, "iii": 3, "iv": 5, "v": 7, "vi": 8, "vii": 10}
_MAJOR_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)
_MINOR_SCALE: Final = (0, 2, 3, 5, 7, 8, 10)
_SWUNG_METERS: Final = frozenset({"3/4", "4/4"})  # in 2/4, swing is 6/8
_TONE_STEP_SECONDS: Final = 0.02


@dataclass(frozen=True, eq=False)
class Annotation:
    """What is known of a rendered piece.

    Attributes:
        key: Such as "A minor".
        meter: Such as "3/4".
        tempo_bpm: Mean tempo in quarter notes a minute, dotted ones in 6/8.
        beats_seconds: (beats,).
        downbeats_seconds: (bars,).
        chords: Start and end in seconds, and the label as mir_eval reads it, such as "A:min".
        melody_times_seconds: (n,) every 10 ms.
        melody_hz: (n,) 0 where no melody sounds.
        level_shape: Course of the level, as in `AnnotatedPiece`.
    """

    key: str
    meter: str
    tempo_bpm: float
    beats_seconds: npt.NDArray[np.float64]
    downbeats_seconds: npt.NDArray[np.float64]
    chords: tuple[tuple[float, float, str], ...]
    melody_times_seconds: npt.NDArray[np.float64]
    melody_hz: npt.NDArray[np.float64]
    level_shape: str = "steady"


class _Clock:
    """When each quarter note falls, with drift and swing."""

    def __init__(self, piece: AnnotatedPiece) -> None:
        unit_quarters = 1.5 if piece.meter == "6/8" else 1.0
        quarters_a_second = piece.tempo_bpm * unit_quarters / 60.0
        seconds = np.linspace(0.0, piece.duration_seconds + 8.0, 4000)
        share = seconds / piece.duration_seconds
        rate = quarters_a_second * (1.0 + piece.drift * (share - 0.5))
        self._seconds = seconds + piece.lead_in_seconds
        self._quarters = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(seconds))])
        self._swing = piece.swing if piece.meter in _SWUNG_METERS else 0.5

    def at(self, quarters: float) -> float:
        """Return the time of a position in quarter notes."""
        whole, part = divmod(quarters + 1e-9, 1.0)
        swung = part * 2 * self._swing if part < 0.5 else self._swing + (part - 0.5) * 2 * (1 - self._swing)
        return float(np.interp(whole + swung - 1e-9, self._quarters, self._seconds))


def render_annotated(
    piece: AnnotatedPiece, *, rate_hz: int, rng: np.random.Generator
) -> tuple[Samples, Annotation]:
    """Compose and play a piece; return it and what is known of it."""
    if piece.meter == FREE_METER:
        return _render_free(piece, rate_hz=rate_hz, rng=rng)
    clock = _Clock(piece)
    meter = METERS[piece.meter]
    bars = 0
    while clock.at(bars * meter.bar_quarters) < piece.duration_seconds - 0.2:
        bars += 1
    notes: list[Note] = []
    chords = []
    for bar in range(bars):
        numeral = piece.loop[(bar + piece.loop_start) % len(piece.loop)]
        root, quality, pitches = _chord(piece, numeral)
        start, end = (clock.at(at * meter.bar_quarters) for at in (bar, bar + 1))
        chords.append((start, min(end, piece.duration_seconds), f"{PITCH_CLASSES[root]}:{quality}"))
        if piece.has_chords:
            notes += _accompaniment(piece, meter, clock, bar, pitches, rng)
    melody = _melody(piece, meter, clock, bars, rng) if piece.has_melody else []
    mixture = _play(notes + melody, duration_seconds=piece.duration_seconds, rate_hz=rate_hz, rng=rng)
    if piece.has_drums:
        mixture = mixture + 0.7 * _drums(piece, meter, clock, bars, rate_hz=rate_hz, rng=rng)
    mixture = with_room(
        mixture, decay_seconds=float(rng.uniform(0.2, 1.2)), wetness=0.2, rate_hz=rate_hz, rng=rng
    )
    mixture = normalised(mixture, peak=0.7) * _level(piece, len(mixture))
    mixture = mixture + 10.0 ** (piece.noise_db / 20.0) * rng.standard_normal(len(mixture))
    return mixture, _annotation(piece, meter, clock, bars, chords, melody)


def _render_free(
    piece: AnnotatedPiece, *, rate_hz: int, rng: np.random.Generator
) -> tuple[Samples, Annotation]:
    """Play a piece's chords and scale without any beat; its meter and tempo say so by "none" and 0."""
    scale = _MAJOR_SCALE if piece.is_major else _MINOR_SCALE
    shift = piece.detuning_cents / 100.0
    notes, chords, melody = [], [], []
    start, index = piece.lead_in_seconds, piece.loop_start
    while start < piece.duration_seconds - 0.2:
        end = min(start + float(rng.uniform(1.4, 4.0)), piece.duration_seconds)
        root, quality, pitches = _chord(piece, piece.loop[index % len(piece.loop)])
        chords.append((start, end, f"{PITCH_CLASSES[root]}:{quality}"))
        for pitch in pitches:
            late = start + abs(float(rng.normal(0.0, 0.12)))
            notes.append(Note(late, 0.95 * (end - late), 48 + pitch % 24 + shift, 0.4, piece.chord_timbre))
        notes.append(Note(start, 0.95 * (end - start), 36 + root + shift, 0.6, BASS))
        start, index = end, index + 1
    time = piece.lead_in_seconds
    while piece.has_melody and time < piece.duration_seconds - 0.3:
        length = float(np.exp(rng.normal(-0.6, 0.7)))
        height = 60 + piece.tonic + scale[rng.integers(7)] + shift
        melody.append(Note(time, length, height, 0.6, piece.melody_timbre))
        time += length + float(rng.exponential(0.25))
    mixture = _play(notes + melody, duration_seconds=piece.duration_seconds, rate_hz=rate_hz, rng=rng)
    mixture = with_room(mixture, decay_seconds=1.5, wetness=0.3, rate_hz=rate_hz, rng=rng)
    mixture = normalised(mixture, peak=0.7) * _level(piece, len(mixture))
    mixture = mixture + 10.0 ** (piece.noise_db / 20.0) * rng.standard_normal(len(mixture))
    times, melody_hz = _sampled(melody, piece.duration_seconds)
    return mixture, Annotation(
        key=_key_name(piece),
        meter=FREE_METER,
        tempo_bpm=0.0,
        beats_seconds=np.zeros(0),
        downbeats_seconds=np.zeros(0),
        chords=tuple(chords),
        melody_times_seconds=times,
        melody_hz=melody_hz,
        level_shape=piece.level_shape,
    )


def _play(
    notes: Sequence[Note], *, duration_seconds: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    """Play notes; one that returns is the same tone again, as from a sampler, which takes half the time."""
    tones: dict[tuple[Timbre, float, int], Samples] = {}
    parts = []
    for note in notes:
        tone_key = (note.timbre, note.midi_note, round(note.duration_seconds / _TONE_STEP_SECONDS))
        if tone_key not in tones:
            tones[tone_key] = render_tone(
                note.timbre,
                midi_note=note.midi_note,
                duration_seconds=max(1, tone_key[2]) * _TONE_STEP_SECONDS,
                sample_rate_hz=rate_hz,
                rng=rng,
            )
        parts.append((note.start_seconds, note.velocity * tones[tone_key]))
    return mix(parts, duration_seconds=duration_seconds, rate_hz=rate_hz)


def _annotation(
    piece: AnnotatedPiece,
    meter: Meter,
    clock: _Clock,
    bars: int,
    chords: Sequence[tuple[float, float, str]],
    melody: Sequence[Note],
) -> Annotation:
    ends_at = piece.duration_seconds
    times, melody_hz = _sampled(melody, ends_at)
    beats = np.array([clock.at(beat * meter.beat_quarters) for beat in range(bars * meter.beats_per_bar)])
    downbeats = np.array([clock.at(bar * meter.bar_quarters) for bar in range(bars)])
    return Annotation(
        key=_key_name(piece),
        meter=piece.meter,
        tempo_bpm=piece.tempo_bpm,
        beats_seconds=beats[beats < ends_at],
        downbeats_seconds=downbeats[downbeats < ends_at],
        chords=tuple(chords),
        melody_times_seconds=times,
        melody_hz=melody_hz,
        level_shape=piece.level_shape,
    )


def _key_name(piece: AnnotatedPiece) -> str:
    return f"{PITCH_CLASSES[piece.tonic]} {'major' if piece.is_major else 'minor'}"


def _sampled(
    melody: Sequence[Note], duration_seconds: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return times every 10 ms, and the melody's frequency at each, 0 between notes."""
    times = np.arange(0.0, duration_seconds, 0.01)
    melody_hz = np.zeros(len(times))
    for note in melody:
        sounding = (times >= note.start_seconds) & (times < note.start_seconds + note.duration_seconds)
        melody_hz[sounding] = 440.0 * 2.0 ** ((note.midi_note - 69.0) / 12.0)
    return times, melody_hz


def _chord(piece: AnnotatedPiece, numeral: str) -> tuple[int, str, list[int]]:
    """Return the root's pitch class, the quality as mir_eval writes it, and the notes above C."""
    degrees = _DEGREES if piece.is_major else _MINOR_DEGREES
    root = (piece.tonic + degrees[numeral.lower()]) % 12
    is_major = numeral.isupper()
    intervals = [0, 4 if is_major else 3, 7]
    quality = "maj" if is_major else "min"
    if piece.sevenths:
        is_dominant = numeral in {"V", "VII"}
        intervals.append(11 if is_major and not is_dominant else 10)
        quality = "7" if is_dominant else f"{quality}7"
    return root, quality, [root + interval for interval in intervals]


@dataclass(frozen=True)
class _Stroke:
    """A note of a bar: offset and length in quarter notes."""

    offset: float
    length: float
    pitch: float
    velocity: float
    timbre: Timbre


def _accompaniment(
    piece: AnnotatedPiece,
    meter: Meter,
    clock: _Clock,
    bar: int,
    pitches: list[int],
    rng: np.random.Generator,
) -> list[Note]:
    first = bar * meter.bar_quarters
    shift = piece.detuning_cents / 100.0
    voiced = [48 + (pitch - 48) % 12 + (0 if (pitch - 48) % 12 >= 5 else 12) for pitch in pitches]
    strokes = _bass(meter, 36 + pitches[0] % 12, rng) + _TEXTURES[piece.texture](piece, meter, voiced)
    notes = []
    for stroke in strokes:
        start, end = (clock.at(first + at) for at in (stroke.offset, stroke.offset + stroke.length))
        length = 0.92 * (end - start)
        notes.append(Note(start, length, stroke.pitch + shift, stroke.velocity, stroke.timbre))
    return notes


def _bass(meter: Meter, root: int, rng: np.random.Generator) -> list[_Stroke]:
    strong = [beat * meter.beat_quarters for beat in meter.strong_beats]
    strokes = []
    for index, offset in enumerate(strong):
        until = strong[index + 1] if index + 1 < len(strong) else meter.bar_quarters
        pitch = root if index == 0 or rng.random() < 0.6 else root + 7
        strokes.append(_Stroke(offset, until - offset, pitch, 0.8 if index == 0 else 0.6, BASS))
    return strokes


def _sustained(piece: AnnotatedPiece, meter: Meter, voiced: list[int]) -> list[_Stroke]:
    return [_Stroke(0.0, meter.bar_quarters, pitch, 0.35, piece.chord_timbre) for pitch in voiced]


def _arpeggio(piece: AnnotatedPiece, meter: Meter, voiced: list[int]) -> list[_Stroke]:
    figure = (*voiced, *reversed(voiced[1:-1]))
    return [
        _Stroke(0.5 * step, 0.5, figure[step % len(figure)], 0.55 if step else 0.75, piece.chord_timbre)
        for step in range(round(meter.bar_quarters / 0.5))
    ]


def _comping(piece: AnnotatedPiece, meter: Meter, voiced: list[int]) -> list[_Stroke]:
    """Play the chord where the bass does not: oom-pah."""
    if meter.name == "6/8":
        offsets = [0.5, 1.0, 2.0, 2.5]
    else:
        weak = [beat for beat in range(meter.beats_per_bar) if beat not in meter.strong_beats]
        offsets = [beat * meter.beat_quarters for beat in weak]
    return [_Stroke(offset, 0.5, pitch, 0.4, piece.chord_timbre) for offset in offsets for pitch in voiced]


def _block(piece: AnnotatedPiece, meter: Meter, voiced: list[int]) -> list[_Stroke]:
    beats = meter.strong_beats if meter.name == "7/8" else range(meter.beats_per_bar)
    return [
        _Stroke(
            beat * meter.beat_quarters, meter.beat_quarters, pitch, 0.38 if beat else 0.5, piece.chord_timbre
        )
        for beat in beats
        for pitch in voiced
    ]


_TEXTURES: Final[Mapping[str, Callable[[AnnotatedPiece, Meter, list[int]], list[_Stroke]]]] = {
    "sustained": _sustained,
    "arpeggio": _arpeggio,
    "comping": _comping,
    "block": _block,
}


def _melody(
    piece: AnnotatedPiece, meter: Meter, clock: _Clock, bars: int, rng: np.random.Generator
) -> list[Note]:
    """Compose a melody of the chord's and the scale's notes, whose phrases end on the tonic or its fifth."""
    scale = _MAJOR_SCALE if piece.is_major else _MINOR_SCALE
    ladder = sorted(
        pitch
        for octave in range(8)
        for step in scale
        if 60 <= (pitch := 12 * octave + piece.tonic + step) <= 84
    )
    position = len(ladder) // 2
    notes = []
    for bar in range(bars):
        numeral = piece.loop[(bar + piece.loop_start) % len(piece.loop)]
        _, _, pitches = _chord(piece, numeral)
        classes = {pitch % 12 for pitch in pitches}
        ends_phrase = numeral in {"I", "i"}
        for offset, length in _melody_rhythm(meter, rng, calm=ends_phrase):
            position = int(np.clip(position + rng.choice((-2, -1, -1, 0, 1, 1, 2)), 0, len(ladder) - 1))
            wanted = {piece.tonic} if ends_phrase and length >= 1.0 else classes
            if offset % 1.0 == 0.0:
                position = min(
                    range(len(ladder)),
                    key=lambda index: (ladder[index] % 12 not in wanted, abs(index - position)),
                )
            start, end = (clock.at(bar * meter.bar_quarters + at) for at in (offset, offset + length))
            height = ladder[position] + piece.detuning_cents / 100.0
            notes.append(Note(start, 0.9 * (end - start), height, 0.75, piece.melody_timbre))
    return notes


def _melody_rhythm(meter: Meter, rng: np.random.Generator, *, calm: bool) -> list[tuple[float, float]]:
    """Return offset and length, in quarter notes, of a bar's notes."""
    rhythm: list[tuple[float, float]] = []
    groups = [*meter.strong_beats, meter.beats_per_bar]
    for first, until in pairwise(groups):
        offset, end = first * meter.beat_quarters, until * meter.beat_quarters
        while offset < end - 1e-9:
            choices = [2.0, 1.0] if calm else [1.0, 1.0, 0.5, 0.5]
            length = min(float(rng.choice(choices)), end - offset)
            rhythm.append((offset, length))
            offset += length
    return rhythm


def _drums(
    piece: AnnotatedPiece, meter: Meter, clock: _Clock, bars: int, *, rate_hz: int, rng: np.random.Generator
) -> Samples:
    strokes = []
    drums = {name: [DRUMS[name](rate_hz, rng) for _ in range(3)] for name in ("kick", "snare", "hat")}
    beats = [beat * meter.beat_quarters for beat in range(meter.beats_per_bar)]
    strong = [beat * meter.beat_quarters for beat in meter.strong_beats]
    weak = {
        "2/4": [1.0],
        "3/4": [1.0, 2.0],
        "4/4": [1.0, 3.0],
        "5/4": [2.0, 4.0],
        "6/8": [1.5],
        "7/8": [1.0, 3.0],
    }[meter.name]
    kicks = [0.0] if meter.name in {"3/4", "6/8", "2/4"} else strong
    extra_kick = float(rng.choice([0.5, 1.5, 2.5])) if rng.random() < 0.4 and meter.name == "4/4" else None
    hats = np.arange(0.0, meter.bar_quarters, 0.5) if rng.random() < 0.7 else np.array(beats)
    soft_snare = meter.name == "3/4" or rng.random() < 0.2
    for bar in range(bars):
        for name, places, strength in (
            ("kick", kicks if extra_kick is None else [*kicks, extra_kick], 1.0),
            ("snare", weak, 0.4 if soft_snare else 0.8),
            ("hat", hats, 0.5),
        ):
            for place in places:
                late = float(rng.normal(0.0, 0.003))
                level = strength * float(rng.uniform(0.85, 1.0)) * (1.1 if place == 0 else 1.0)
                start = max(0.0, clock.at(bar * meter.bar_quarters + float(place)) + late)
                strokes.append((start, level * drums[name][rng.integers(3)]))
    return mix(strokes, duration_seconds=piece.duration_seconds, rate_hz=rate_hz)


def _level(piece: AnnotatedPiece, count: int) -> Samples:
    levels_db = {
        "steady": (0.0, 0.0, 0.0),
        "crescendo": (-16.0, -7.0, 0.0),
        "diminuendo": (0.0, -7.0, -16.0),
        "swell": (-15.0, 0.0, -15.0),
    }[piece.level_shape]
    shape: Samples = 10.0 ** (np.interp(np.linspace(0.0, 2.0, count), (0.0, 1.0, 2.0), levels_db) / 20.0)
    return shape
