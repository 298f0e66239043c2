"""Machines that are drawn rather than heard: spectrograms with lines, noise and impacts."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from chladni_similarity.anomaly.windows import (
    ENVELOPE_BAND_COUNT,
    ENVELOPE_RATE_HZ,
    HOP_LENGTH,
    MEL_BIN_COUNT,
    SAMPLE_RATE_HZ,
    Spectrogram,
)


@pytest.fixture(scope="session")
def draw():
    """Draws a machine: tones at mel bins 20 and 50, noise, and on demand impacts at a rate and a new tone."""

    def drawn(seed, *, seconds=10.0, impacts_hz=0.0, impact=0.0, tone=0.0, noise=1.0):
        rng = np.random.default_rng(seed)
        frames = 1 + round(seconds * SAMPLE_RATE_HZ) // HOP_LENGTH
        power = noise * 1e-4 * rng.gamma(4.0, 0.25, (MEL_BIN_COUNT, frames))
        for mel_bin, level in ((20, 1.0), (50, 0.1), (90, tone)):
            power[mel_bin] += level * rng.uniform(0.95, 1.05)
        fine_frames = 1 + round(seconds * ENVELOPE_RATE_HZ)
        fine = noise * 1e-4 * rng.gamma(4.0, 0.25, (ENVELOPE_BAND_COUNT, fine_frames))
        fine[3] += 1.0
        if impact:
            starts = np.arange(0.0, seconds, 1.0 / impacts_hz)
            fine[6:, (starts * ENVELOPE_RATE_HZ).astype(int)] += impact
            power[60:, (starts * SAMPLE_RATE_HZ / HOP_LENGTH).astype(int)] += 0.1 * impact
        return Spectrogram(_levels(power), _levels(fine))

    return drawn


def _levels(power):
    decibels = 10.0 * np.log10(power / power.max())
    return np.clip(1.0 + decibels / 80.0, 0.0, 1.0).astype(np.float32)


@pytest.fixture(scope="session")
def decode():
    """Gives the pixels of an encoded image."""
    return lambda content: np.asarray(Image.open(BytesIO(content)))
