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
    return (
        clip
        + machine.airflow * _fan(turns, rate_hz, rng)
        + machine.fault * _impacts(machine, turns, rate_hz, rng)
    )


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
