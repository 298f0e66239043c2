"""Windows have the frames of 5 s, scales of their own, and their power comes back."""

from __future__ import annotations

import numpy as np

from chladni_audio_features.reconstruction.windows import WINDOW_SAMPLES, mel_windows, transform_of


def test_five_seconds_are_one_window(chirp):
    windows = mel_windows(chirp[:WINDOW_SAMPLES])
    assert windows.scaled.shape == (1, 128, 256)
    assert windows.frame_count == 256
    assert windows.scaled.max() == 1.0


def test_longer_clips_have_more_windows_and_silence_fills_the_last_one(chirp):
    windows = mel_windows(chirp)
    assert windows.scaled.shape == (2, 128, 256)
    assert windows.frame_count == 1 + len(chirp) // 313
    assert windows.scaled.max(axis=(1, 2)).tolist() == [1.0, 1.0]
    assert not windows.scaled[1, :, windows.frame_count - 256 :].any()


def test_power_comes_back_within_the_scale(chirp):
    windows = mel_windows(chirp)
    power = transform_of().power_of_clip(chirp)
    rebuilt = windows.power(windows.scaled)
    assert rebuilt.shape == power.shape
    kept = rebuilt > 0
    np.testing.assert_allclose(rebuilt[kept], power[kept], rtol=1e-3)
    assert power[~kept].max() < 1.1e-8 * power.max()


def test_levels_are_those_of_the_clip_as_a_whole(chirp):
    windows = mel_windows(np.concatenate([chirp[:WINDOW_SAMPLES], 0.01 * chirp]))
    levels = windows.levels(windows.scaled)
    assert levels.max() == 1.0
    assert 0.4 < levels[:, 300:500].max() < 0.7
    assert levels.min() == 0.0


def test_silence_is_silent():
    windows = mel_windows(np.zeros(4000, np.float32))
    assert windows.is_silent.tolist() == [True]
    assert not windows.power(windows.scaled).any()
    assert not windows.levels(windows.scaled).any()
