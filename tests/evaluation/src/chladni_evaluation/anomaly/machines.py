"""Simulated machines with faults, in two domains; the simulator is that of audio-features' corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.spectrogram import MelSettings, MelTransform, log_mel_spectrogram
from chladni_audio_features.training.synthesis.machines import Machine, render_machine
from chladni_similarity.anomaly import windows
from chladni_similarity.anomaly.windows import Spectrogram

CLIP_SECONDS: Final = 10.0
MACHINES: Final[Mapping[str, Machine]] = {
    "fan": Machine(hum=0.2, shaft_hz=24.5, whine=0.25, airflow=0.5, ambience=0.15),
    "gearbox": Machine(
        hum=0.1, shaft_hz=29.2, whine=0.2, airflow=0.1, gear_teeth=23, mesh=0.5, ambience=0.15
    ),
    "pump": Machine(hum=0.3, shaft_hz=48.3, whine=0.4, airflow=0.3, ambience=0.2),
}
SEVERITIES: Final[Mapping[str, float]] = {"mild": 0.25, "severe": 0.8}
NAMED_BY: Final[Mapping[str, frozenset[str]]] = {
    "bearing": frozenset({"off_order", "periodicity"}),
    "chipped_tooth": frozenset({"shaft_order_1"}),
    "looseness": frozenset({"shaft_order_0_5"}),
    "misalignment": frozenset({"level_below_150_hz"}),
}
"""Attributes that name each fault."""

_BALL_PASS_ORDER: Final = 3.58
_CHIP_LEVEL: Final = 1.6
_PEAK: Final = 0.8
_MEL: Final = MelTransform(
    MelSettings(
        fft_size=windows.FFT_SIZE, hop_length=windows.HOP_LENGTH, max_frequency_hz=windows.MAX_FREQUENCY_HZ
    )
)
_ENVELOPES: Final = MelTransform(
    MelSettings(
        fft_size=windows.ENVELOPE_FFT_SIZE,
        hop_length=windows.ENVELOPE_HOP_LENGTH,
        mel_bins=windows.ENVELOPE_BAND_COUNT,
        max_frequency_hz=windows.MAX_FREQUENCY_HZ,
    )
)


def with_fault(machine: Machine, fault: str, severity: str) -> Machine:
    """Return a machine with a fault of `NAMED_BY`, of a severity of `SEVERITIES`."""
    level = SEVERITIES[severity]
    match fault:
        case "bearing":
            return replace(machine, fault=level, fault_hz=machine.shaft_hz * _BALL_PASS_ORDER)
        case "chipped_tooth":
            return replace(machine, chipped_tooth=_CHIP_LEVEL * level)
        case "looseness":
            return replace(machine, looseness=level)
        case _:
            return replace(machine, misalignment=level)


def in_operation(machine: Machine, rng: np.random.Generator, *, is_target: bool = False) -> Machine:
    """Return a machine as it runs at some time: speed, load and surroundings vary.

    In the target domain it runs slower, under more load and in a louder hall.
    """
    speed = float(rng.uniform(0.93, 0.95) if is_target else rng.uniform(0.98, 1.02))
    return replace(
        machine,
        shaft_hz=machine.shaft_hz * speed,
        fault_hz=machine.fault_hz * speed,
        hum=machine.hum * float(rng.uniform(0.8, 1.25)),
        whine=machine.whine * float(rng.uniform(0.8, 1.25)),
        airflow=machine.airflow * float(rng.uniform(0.8, 1.25)),
        mesh=machine.mesh * float(rng.uniform(0.85, 1.15)),
        load=float(rng.uniform(0.6, 0.9) if is_target else rng.uniform(0.3, 0.7)),
        ambience=machine.ambience * float(rng.uniform(1.2, 2.0) if is_target else rng.uniform(0.5, 1.5)),
    )


def spectrogram_of(samples: npt.NDArray[np.float64]) -> Spectrogram:
    """Return what audio-features returns for samples at 22050 Hz, without a service."""
    clip = (_PEAK * samples / np.abs(samples).max()).astype(np.float32)
    return Spectrogram(
        log_mel_spectrogram(_MEL.power_of_clip(clip)).scaled,
        log_mel_spectrogram(_ENVELOPES.power_of_clip(clip)).scaled,
    )


def recorded(
    machine: Machine, rng: np.random.Generator, *, is_target: bool = False
) -> tuple[Spectrogram, float]:
    """Return the spectrogram of ten seconds of a machine, and the speed of its shaft in hertz."""
    running = in_operation(machine, rng, is_target=is_target)
    samples = render_machine(running, duration_seconds=CLIP_SECONDS, rate_hz=windows.SAMPLE_RATE_HZ, rng=rng)
    return spectrogram_of(samples), running.shaft_hz
