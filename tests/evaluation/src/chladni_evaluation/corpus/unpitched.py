"""Percussion, noises, machines, and silence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np

from chladni_audio_features.training.synthesis.effects import with_room
from chladni_audio_features.training.synthesis.machines import Machine, render_machine
from chladni_audio_features.training.synthesis.noises import NOISES, Noise
from chladni_audio_features.training.synthesis.percussion import DRUMS, render_pattern
from chladni_audio_features.training.synthesis.timbres import Samples
from chladni_evaluation.corpus.clips import RATE_HZ, ClipPlan, dealt, spread

_STEPS: Final = 16
_SECONDS: Final = (3.0, 6.0)
_SILENCE_SECONDS: Final = 3.0
_PEAK_DB: Final = (-20.0, -1.5)


def plan_percussion(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan drum patterns, each of two to four drums and with its own room."""
    tempos_bpm = spread(rng, 70.0, 175.0, count)
    peaks_db = spread(rng, *_PEAK_DB, count)
    rooms_seconds = spread(rng, 0.05, 1.2, count)
    plans = []
    for tempo_bpm, peak_db, room_seconds in zip(tempos_bpm, peaks_db, rooms_seconds, strict=True):
        pattern = _pattern(rng)
        plans.append(
            ClipPlan(
                kind="percussion",
                name=f"{'-'.join(pattern)}-{tempo_bpm:.0f}bpm".replace("_", "-"),
                detail=f"a room of {room_seconds:.1f} s",
                peak_db=peak_db,
                render=partial(
                    _render_pattern, pattern, tempo_bpm, room_seconds, float(rng.uniform(*_SECONDS))
                ),
            )
        )
    return plans


def plan_noises(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan noises of every type."""
    types = dealt(rng, NOISES, count)
    peaks_db = spread(rng, *_PEAK_DB, count)
    return [
        ClipPlan(
            kind="noise",
            name=noise.__name__,
            detail=noise.__name__,
            peak_db=peak_db,
            render=partial(_render_noise, noise, float(rng.uniform(*_SECONDS))),
        )
        for noise, peak_db in zip(types, peaks_db, strict=True)
    ]


def plan_machines(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan machines, every third with a worn bearing."""
    shafts_hz = spread(rng, 12.0, 110.0, count)
    peaks_db = spread(rng, *_PEAK_DB, count)
    worn = dealt(rng, (True, False, False), count)
    plans = []
    for shaft_hz, peak_db, is_worn in zip(shafts_hz, peaks_db, worn, strict=True):
        machine = Machine(
            mains_hz=float(rng.choice((50.0, 60.0))),
            hum=float(rng.uniform(0.0, 0.6)),
            shaft_hz=shaft_hz,
            whine=float(rng.uniform(0.05, 0.6)),
            fault_hz=float(rng.uniform(8.0, 120.0)),
            fault=float(rng.uniform(0.5, 1.5)) if is_worn else 0.0,
            resonance_hz=float(rng.uniform(1200.0, 6000.0)),
            airflow=float(rng.uniform(0.0, 0.5)),
            wobble=float(rng.uniform(0.0, 0.02)),
        )
        state = "worn" if is_worn else "healthy"
        plans.append(
            ClipPlan(
                kind="machine",
                name=f"shaft-{shaft_hz:.0f}hz-{state}",
                detail=f"hum {machine.hum:.1f}, whine {machine.whine:.1f}, air {machine.airflow:.1f}",
                peak_db=peak_db,
                render=partial(_render_machine, machine, float(rng.uniform(*_SECONDS))),
            )
        )
    return plans


def plan_silence(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan digital silence, which is the same every time."""
    del rng
    plan = ClipPlan(
        kind="silence", name="digital", detail="digital silence", peak_db=0.0, render=_render_silence
    )
    return [plan] * count


def _pattern(rng: np.random.Generator) -> Mapping[str, str]:
    """Draw a bar: each drum strikes evenly from its own starting step, sometimes softly."""
    chosen = rng.choice(list(DRUMS), size=int(rng.integers(2, 5)), replace=False)
    pattern = {}
    for drum in sorted(map(str, chosen)):
        strokes = int(rng.choice((1, 2, 3, 4, 5, 8)))
        marks = ["."] * _STEPS
        for stroke in range(strokes):
            place = (stroke * _STEPS // strokes + int(rng.integers(_STEPS))) % _STEPS
            marks[place] = "x" if rng.random() < 0.7 else "o"
        pattern[drum] = "".join(marks)
    return pattern


def _render_pattern(
    pattern: Mapping[str, str],
    tempo_bpm: float,
    room_seconds: float,
    seconds: float,
    rng: np.random.Generator,
) -> Samples:
    loop = render_pattern(pattern, tempo_bpm=tempo_bpm, duration_seconds=seconds, rate_hz=RATE_HZ, rng=rng)
    return with_room(loop, decay_seconds=room_seconds, wetness=0.2, rate_hz=RATE_HZ, rng=rng)


def _render_noise(noise: Noise, seconds: float, rng: np.random.Generator) -> Samples:
    return noise(round(seconds * RATE_HZ), RATE_HZ, rng)


def _render_machine(machine: Machine, seconds: float, rng: np.random.Generator) -> Samples:
    return render_machine(machine, duration_seconds=seconds, rate_hz=RATE_HZ, rng=rng)


def _render_silence(rng: np.random.Generator) -> Samples:
    del rng
    return np.zeros(round(_SILENCE_SECONDS * RATE_HZ))
