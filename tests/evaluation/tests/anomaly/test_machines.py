"""The simulated machines, and the program that measures on them."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.training.synthesis.machines import Machine, render_machine
from chladni_evaluation.anomaly.machines import MACHINES, NAMED_BY, spectrogram_of, with_fault


def rendered(machine, seed=1):
    rng = np.random.default_rng(seed)
    return render_machine(machine, duration_seconds=2.0, rate_hz=22050, rng=rng)


@pytest.mark.parametrize("fault", NAMED_BY)
def test_a_fault_is_heard_and_the_worse_the_louder(fault):
    healthy = MACHINES["gearbox"]
    mild, severe = (rendered(with_fault(healthy, fault, severity)) for severity in ("mild", "severe"))
    assert 0 < np.abs(mild - rendered(healthy)).max() < np.abs(severe - rendered(healthy)).max()


def test_machines_without_the_new_parts_are_as_they_were():
    plain = Machine(hum=0.35, shaft_hz=29.2, whine=0.5, fault_hz=11.7, fault=1.6, airflow=0.18)
    idle = Machine(
        hum=0.35, shaft_hz=29.2, whine=0.5, fault_hz=11.7, fault=1.6, airflow=0.18, mesh=0.9, load=0.1
    )
    np.testing.assert_array_equal(rendered(plain), rendered(idle))


def test_spectrograms_have_the_shapes_of_the_service():
    spectrogram = spectrogram_of(rendered(MACHINES["fan"]))
    assert spectrogram.levels.shape == (128, 87)
    assert spectrogram.envelopes.shape == (16, 690)
