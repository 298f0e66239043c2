"""The sample sounds: three voices, four pieces of music and a machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from chladni_audio_features.training.synthesis.effects import band_passed, faded, mix, normalised, with_room
from chladni_audio_features.training.synthesis.machines import Machine, render_machine
from chladni_audio_features.training.synthesis.music import Note, render_notes
from chladni_audio_features.training.synthesis.percussion import render_pattern
from chladni_audio_features.training.synthesis.speech import Utterance, speak
from chladni_audio_features.training.synthesis.timbres import (
    BASS,
    BELL,
    FLUTE,
    HARP,
    PAD,
    PLUCK,
    STRINGS,
    Samples,
    Timbre,
)

_PEAK = 0.89  # -1 dBFS
_GEARBOX = Machine(hum=0.1, shaft_hz=29.2, whine=0.2, airflow=0.1, gear_teeth=23, mesh=0.5, ambience=0.15)

Render = Callable[[int], Samples]
"""Takes a sample rate in hertz; gives (n,) for mono, (n, 2) for stereo."""


def speech(utterance: Utterance) -> Render:
    """Return what renders a spoken sentence."""

    def render(rate_hz: int) -> Samples:
        return _finished(speak(utterance, rate_hz=rate_hz), rate_hz)

    return render


def calm_major(rate_hz: int) -> Samples:
    """Render a harp over a pad and a flute, unhurried: C major, F major, G major and home again."""
    beat_seconds = 60.0 / 84.0
    chords = ((48, 52, 55), (53, 57, 60), (55, 59, 62), (48, 52, 55))
    melody = (76, 77, 79, 72)
    notes: list[Note] = []
    for bar, (chord, top) in enumerate(zip(chords, melody, strict=True)):
        start = 2.0 * bar * beat_seconds
        low, middle, high = chord
        figure = (low, high, middle + 12, high + 12, low + 24, high + 12, middle + 12, high)
        notes += [
            Note(start + 0.25 * step * beat_seconds, 0.5, midi_note, 0.55 + 0.1 * (step == 0), HARP)
            for step, midi_note in enumerate(figure)
        ]
        notes += _chord(start, 2.0 * beat_seconds, chord, 0.22, PAD)
        notes.append(Note(start, 1.8 * beat_seconds, top, 0.28, FLUTE))
    notes.append(Note(8.0 * beat_seconds, 0.4, 60, 0.5, HARP))
    return _in_room(notes, seconds=6.4, decay_seconds=2.2, wetness=0.3, rate_hz=rate_hz, seed=1)


def fast_minor(rate_hz: int) -> Samples:
    """Render plucked strings in a hurry: A minor, F, G, E, with a shaker."""
    step_seconds = 60.0 / 152.0 / 4.0
    chords = ((57, 60, 64), (53, 57, 60), (55, 59, 62), (52, 56, 59))
    order = (0, 2, 1, 2, 0, 1, 2, 1)
    notes: list[Note] = []
    for half_bar in range(8):
        chord = chords[half_bar // 2]
        start = 8.0 * half_bar * step_seconds
        notes += [
            Note(
                start + step * step_seconds,
                1.6 * step_seconds,
                chord[order[step]] + (12 if half_bar % 2 else 0),
                0.8 if step in (0, 3, 6) else 0.5,
                PLUCK,
            )
            for step in range(8)
        ]
        notes.append(Note(start, 5.0 * step_seconds, chord[0] - 24, 0.8, BASS))
    seconds = 64.0 * step_seconds + 0.5
    rng = np.random.default_rng(2)
    shaker = render_pattern(
        {"shaker": "x.o.x.o.x.o.x.oo"},
        tempo_bpm=152.0,
        duration_seconds=seconds - 0.5,
        rate_hz=rate_hz,
        rng=rng,
    )
    return _in_room(
        notes, seconds=seconds, decay_seconds=0.6, wetness=0.15, rate_hz=rate_hz, seed=2, extra=0.5 * shaker
    )


def drum_loop(rate_hz: int) -> Samples:
    """Render two bars of drums."""
    rng = np.random.default_rng(3)
    pattern = {
        "kick": "x.....x.x...x...x.....x.x.x.....",
        "snare": "....x..o....x.......x..o.o..x..o",
        "hat": "x.oox.oox.oox.oox.oox.oox.ooxxxx",
        "tom_high": "............................x...",
        "tom_low": "..............................x.",
    }
    seconds = 32 * 60.0 / 104.0 / 4.0
    loop = render_pattern(pattern, tempo_bpm=104.0, duration_seconds=seconds, rate_hz=rate_hz, rng=rng)
    room = with_room(loop, decay_seconds=0.35, wetness=0.15, rate_hz=rate_hz, rng=rng)
    return _finished(room, rate_hz)


def dark_drone(rate_hz: int) -> Samples:
    """Render a low fifth of bowed strings, a bell far away, and wind."""
    bowed = replace(STRINGS, attack_seconds=1.5, release_seconds=1.5)
    notes = [
        *_chord(0.0, 4.5, (38, 45, 50), 0.5, bowed),
        Note(0.0, 4.5, 26, 0.5, replace(bowed, vibrato_semitones=0.0)),
        Note(1.6, 0.5, 74, 0.3, BELL),
        Note(3.7, 0.5, 69, 0.25, BELL),
    ]
    rng = np.random.default_rng(4)
    air = band_passed(rng.standard_normal(6 * rate_hz), low_hz=200.0, high_hz=700.0, rate_hz=rate_hz)
    swell = np.square(np.sin(np.pi * np.arange(len(air)) / len(air)))
    return _in_room(
        notes, seconds=6.0, decay_seconds=3.5, wetness=0.45, rate_hz=rate_hz, seed=4, extra=0.05 * swell * air
    )


def worn_machine(rate_hz: int) -> Samples:
    """Render a motor on the mains whose bearing has seen better days."""
    machine = Machine(hum=0.35, shaft_hz=29.2, whine=0.5, fault_hz=11.7, fault=1.6, airflow=0.18)
    rng = np.random.default_rng(5)
    return _finished(render_machine(machine, duration_seconds=3.0, rate_hz=rate_hz, rng=rng), rate_hz)


def healthy_gearbox(rate_hz: int) -> Samples:
    """Render a gearbox as it should run, in a hall."""
    return _gearbox(_GEARBOX, rate_hz, seed=6)


def faulty_gearbox(rate_hz: int) -> Samples:
    """Render the same gearbox with a chipped tooth."""
    return _gearbox(replace(_GEARBOX, chipped_tooth=0.8), rate_hz, seed=7)


def _gearbox(machine: Machine, rate_hz: int, *, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    return _finished(render_machine(machine, duration_seconds=10.0, rate_hz=rate_hz, rng=rng), rate_hz)


def _chord(
    start: float, duration: float, midi_notes: Sequence[int], velocity: float, timbre: Timbre
) -> list[Note]:
    return [Note(start, duration, midi_note, velocity, timbre) for midi_note in midi_notes]


def _in_room(
    notes: Sequence[Note],
    *,
    seconds: float,
    decay_seconds: float,
    wetness: float,
    rate_hz: int,
    seed: int,
    extra: Samples | None = None,
) -> Samples:
    """Play notes in a room, heard in stereo: each ear gets reflections of its own."""
    rng = np.random.default_rng(seed)
    dry = render_notes(notes, duration_seconds=seconds, rate_hz=rate_hz, rng=rng)
    if extra is not None:
        dry = mix([(0.0, dry), (0.0, extra)], duration_seconds=seconds, rate_hz=rate_hz)
    ears = [
        with_room(dry, decay_seconds=decay_seconds, wetness=wetness, rate_hz=rate_hz, rng=rng)
        for _ in range(2)
    ]
    return _finished(np.stack(ears, axis=1), rate_hz)


def _finished(samples: Samples, rate_hz: int) -> Samples:
    columns = samples.reshape(len(samples), -1)
    shaped = [faded(column, seconds=0.02, rate_hz=rate_hz) for column in columns.T]
    return normalised(np.stack(shaped, axis=1).reshape(samples.shape), peak=_PEAK)
