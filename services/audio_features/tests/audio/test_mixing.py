"""Channels to mono."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.audio.mixing import (
    CancellationMeter,
    mix_channels,
    mix_or_choose_channel,
    to_float,
)
from chladni_contract.warnings import WarningReason

NOISE = np.random.default_rng(0).normal(0, 0.1, (2000, 8)).astype(np.float32)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_are_averaged(channels):
    samples = np.random.default_rng(channels).normal(0, 0.3, (1000, channels)).astype(np.float32)
    original = samples.copy()
    mono = mix_channels(samples)
    assert mono.dtype == np.float32
    assert np.abs(mono - original.mean(axis=1, dtype=np.float64)).max() < 1e-6
    assert np.array_equal(samples, original)
    assert mix_channels(samples[:0]).shape == (0,)


@pytest.mark.parametrize("level", [1e-12, 1.0, 6e4])
@pytest.mark.parametrize("imbalance", [1.0, 0.9])
def test_channels_that_cancel_are_reported_and_one_of_them_is_used(level, imbalance):
    samples = (level * np.stack([imbalance * NOISE[:, 0], -NOISE[:, 0]], 1)).astype(np.float32)
    mono, (warning,) = mix_or_choose_channel(samples)
    louder = 0 if imbalance == 1.0 else 1
    assert np.array_equal(mono, samples[:, louder])
    assert warning.reason is WarningReason.CHANNELS_CANCEL
    assert f"channel {louder + 1} alone" in warning.message
    assert warning.metadata["channel"] == str(louder + 1)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(NOISE, id="eight unlike channels"),
        pytest.param(NOISE * (np.arange(8) == 3), id="one of eight alone"),
        pytest.param(np.stack([NOISE[:, 0], -0.5 * NOISE[:, 0]], 1), id="half cancelled"),
        pytest.param(np.zeros((100, 2), np.float32), id="silence"),
        pytest.param(NOISE[:, :1], id="mono"),
        pytest.param(NOISE[:0, :2], id="nothing"),
    ],
)
def test_other_channels_are_averaged_in_silence(samples):
    samples = samples.astype(np.float32)
    mono, warnings = mix_or_choose_channel(samples)
    assert warnings == ()
    assert np.array_equal(mono, mix_channels(samples))


def test_cancellation_is_measured_over_all_blocks():
    meter = CancellationMeter()
    for sign in (-1, 1, 1):
        block = np.stack([NOISE[:, 0], sign * NOISE[:, 0]], 1)
        meter.add(block, mix_channels(block))
    assert meter.loudest_channel is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 128, 255], np.uint8), [-1, 0, 127 / 128]),
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-1.5, 0, 1e300]), [-1.5, 0, np.inf]),
    ],
)
def test_samples_of_any_type_are_scaled_to_full_scale_one(values, expected):
    assert to_float(values).dtype == np.float32
    assert np.allclose(to_float(values), expected)
