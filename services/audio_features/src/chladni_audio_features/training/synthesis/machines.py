"""Machines: hum, rotating shafts, worn bearings, fans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chladni_audio_features.training.synthesis.effects import band_passed
from chladni_audio_features.training.synthesis.timbres import Samples


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a machine sounds like.

    Attributes:
        mains_hz: frequency of the mains; its harmonics hum.
        hum: level of the hum.
        shaft_hz: revolutions per second.
        whine: level of the shaft's harmonics.
        fault_hz: impacts per second of a worn bearing.
        fault: level of the impacts.
        resonance_hz: what an impact excites.
        airflow: level of the fan's noise, modulated by its blades.
        wobble: depth of slow changes of speed, relative.
        gear_teeth: teeth of a gear on the shaft; 0 for none.
        mesh: level of the tones that its teeth make as they mesh.
        load: load of the gear, 0 to 1: it makes the mesh louder and its level swell with the turns.
        chipped_tooth: level of the impact of a damaged tooth, once a turn.
        looseness: level of a loose part, which strikes every second turn and adds half orders.
        misalignment: level of the tones at twice and three times the shaft's speed.
        ambience: level of a hall in which other things are going on.
    """

    mains_hz: float = 50.0
    hum: float = 0.4
    shaft_hz: float = 24.5
    whine: float = 0.3
    fault_hz: float = 87.0
    fault: float = 0.0
    resonance_hz: float = 2800.0
    airflow: float = 0.1
    wobble: float = 0.002
    gear_teeth: int = 0
    mesh: float = 0.3
    load: float = 0.5
    chipped_tooth: float = 0.0
    looseness: float = 0.0
    misalignment: float = 0.0
    ambience: float = 0.0


def random_machine(rng: np.random.Generator) -> Machine:
    """Draw a machine; a third of them have a worn bearing."""
    return Machine(
        mains_hz=float(rng.choice((50.0, 60.0))),
        hum=float(rng.uniform(0.0, 0.6)),
        shaft_hz=float(rng.uniform(12.0, 120.0)),
        whine=float(rng.uniform(0.05, 0.6)),
        fault_hz=float(rng.uniform(8.0, 160.0)),
        fault=float(rng.uniform(0.3, 1.5)) if rng.random() < 1.0 / 3.0 else 0.0,
        resonance_hz=float(rng.uniform(1200.0, 6000.0)),
        airflow=float(rng.uniform(0.0, 0.5)),
        wobble=float(rng.uniform(0.0, 0.02)),
    )


def render_machine(
    machine: Machine, *, duration_seconds: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    """Run a machine."""
    seconds = np.arange(round(duration_seconds * rate_hz)) / rate_hz
    wobble = 1.0 + machine.wobble * np.sin(2.0 * np.pi * (0.4 * seconds + rng.uniform()))
    turns = np.cumsum(machine.shaft_hz * wobble) / rate_hz
    clip = np.zeros(len(seconds))
    for harmonic in (1, 2, 3, 4, 6, 8, 12):
        phase = rng.uniform(0.0, 2.0 * np.pi)
        tone = np.sin(2.0 * np.pi * 2.0 * machine.mains_hz * harmonic * seconds + phase)
        clip += machine.hum * harmonic**-1.3 * tone
    for harmonic in range(1, 16):
        phase = rng.uniform(0.0, 2.0 * np.pi)
        level = machine.whine * harmonic**-0.9 * rng.uniform(0.3, 1.0)
        clip += level * np.sin(2.0 * np.pi * harmonic * turns + phase)
    clip = (
        clip
        + machine.airflow * _fan(turns, rate_hz, rng)
        + machine.fault * _impacts(machine, turns, rate_hz, rng)
    )
    # Drawn last, and only if they are there: machines without them stay as they were.
    if machine.gear_teeth:
        clip += machine.mesh * _gear(machine, turns, rng)
    if machine.chipped_tooth:
        clip += machine.chipped_tooth * _strokes(turns, machine.resonance_hz, rate_hz, rng)
    if machine.looseness:
        clip += machine.looseness * _loose_part(machine, turns, rate_hz, rng)
    if machine.misalignment:
        for order, level in ((2, 1.0), (3, 0.5)):
            tone = np.sin(2.0 * np.pi * order * turns + rng.uniform(0.0, 2.0 * np.pi))
            clip += machine.misalignment * level * tone
    if machine.ambience:
        clip += machine.ambience * _hall(len(turns), rate_hz, rng)
    return clip


def _fan(turns: Samples, rate_hz: int, rng: np.random.Generator) -> Samples:
    blades = 1.0 + 0.4 * np.sin(2.0 * np.pi * 5.0 * turns)
    noise = rng.standard_normal(len(turns))
    return blades * band_passed(noise, low_hz=120.0, high_hz=2500.0, rate_hz=rate_hz, order=1)


def _impacts(machine: Machine, turns: Samples, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render impacts of a bearing's fault: each rings at the resonance; the load makes them swell."""
    position = turns * machine.fault_hz / machine.shaft_hz
    starts = np.flatnonzero(np.diff(np.floor(position), prepend=0.0) > 0.0)
    train = np.zeros(len(turns))
    train[starts] = rng.uniform(0.7, 1.0, len(starts)) * (1.0 + 0.5 * np.sin(2.0 * np.pi * turns[starts]))
    ring_seconds = np.arange(round(0.02 * rate_hz)) / rate_hz
    ring = np.sin(2.0 * np.pi * machine.resonance_hz * ring_seconds) * np.exp(-ring_seconds / 0.003)
    return np.convolve(train, ring)[: len(turns)]


def _gear(machine: Machine, turns: Samples, rng: np.random.Generator) -> Samples:
    """Render meshing teeth: harmonics of their rate, whose level follows the turns under load."""
    swell = 1.0 + 0.5 * machine.load * np.sin(2.0 * np.pi * turns + rng.uniform(0.0, 2.0 * np.pi))
    tones = np.zeros(len(turns))
    for harmonic in (1, 2, 3):
        phase = rng.uniform(0.0, 2.0 * np.pi)
        level = harmonic**-1.2 * rng.uniform(0.8, 1.2)
        tones += level * np.sin(2.0 * np.pi * harmonic * machine.gear_teeth * turns + phase)
    return (0.5 + machine.load) * swell * tones


def _strokes(position: Samples, resonance_hz: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a ringing stroke each time that a position passes a whole number."""
    starts = np.flatnonzero(np.diff(np.floor(position), prepend=0.0) > 0.0)
    train = np.zeros(len(position))
    train[starts] = rng.uniform(0.7, 1.0, len(starts))
    ring_seconds = np.arange(round(0.03 * rate_hz)) / rate_hz
    ring = np.sin(2.0 * np.pi * resonance_hz * ring_seconds) * np.exp(-ring_seconds / 0.004)
    return np.convolve(train, ring)[: len(position)]


def _loose_part(machine: Machine, turns: Samples, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a loose foot: strokes every second turn at a low resonance, and half orders of the shaft."""
    tones = np.zeros(len(turns))
    for order in (0.5, 1.5, 2.5, 3.5):
        tones += order**-0.5 * np.sin(2.0 * np.pi * order * turns + rng.uniform(0.0, 2.0 * np.pi))
    return 0.4 * tones + _strokes(0.5 * turns, 0.35 * machine.resonance_hz, rate_hz, rng)


def _hall(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a hall: noise that swells slowly, and now and then a thing that falls or a passing tone."""
    seconds = np.arange(count) / rate_hz
    swell = 1.0 + 0.3 * np.sin(2.0 * np.pi * (rng.uniform(0.02, 0.2) * seconds + rng.uniform()))
    noise = band_passed(rng.standard_normal(count), low_hz=80.0, high_hz=1500.0, rate_hz=rate_hz, order=1)
    hall: Samples = swell * noise
    for _ in range(rng.poisson(0.08 * count / rate_hz)):
        start, length = int(rng.integers(count)), round(float(rng.uniform(0.05, 0.4)) * rate_hz)
        part = np.arange(min(length, count - start)) / rate_hz
        ring = np.sin(2.0 * np.pi * float(rng.uniform(200.0, 3000.0)) * part) * np.exp(-part / 0.08)
        hall[start : start + len(part)] += rng.uniform(0.3, 1.2) * ring
    return hall
