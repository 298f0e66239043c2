"""An autoencoder with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_audio_features.reconstruction.network import AutoencoderNetwork
from chladni_audio_features.testing.untrained_autoencoder import untrained_weights


@pytest.fixture
def autoencoder():
    return Autoencoder(AutoencoderNetwork(untrained_weights()), digest="0" * 64)


@pytest.fixture
def chirp():
    """7 s at 16 kHz: a rising tone that becomes louder."""
    seconds = np.arange(7 * 16_000) / 16_000
    tone = np.sin(2 * np.pi * (200.0 + 150.0 * seconds) * seconds)
    return (0.05 * (1.0 + seconds) * tone).astype(np.float32)
