"""Mel spectrograms against librosa's."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.analysis.spectrogram import (
    MelSettings,
    MelTransform,
    hann_window,
    hz_to_mel,
    log_mel_spectrogram,
    mel_filter_bank,
    mel_to_hz,
    power_blocks,
    power_of_windows,
    resample_frames,
)


def librosa_decibels(samples):
    power = librosa.feature.melspectrogram(y=samples, sr=22050, n_fft=2048, hop_length=512, n_mels=128)
    return librosa.power_to_db(power, ref=np.max)


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.tone(440, 3.0),
        lambda s: s.tone(10_000, 1.0, amplitude=1.0),
        lambda s: s.noise(3.0),
        lambda s: s.noise(3.0, slope=2.0),
        lambda s: s.clicks(120, 3.0),
        lambda s: s.noise(1.0, amplitude=1e-5),
        lambda s: np.full(22050, 0.5, np.float32),
        lambda s: s.noise(0.1),
        lambda s: np.zeros(22050, np.float32),
    ],
)
def test_decibels_equal_librosas(sounds, transform, make):
    samples = make(sounds)
    spectrogram = log_mel_spectrogram(transform.power_of_clip(samples))
    expected = librosa_decibels(samples)
    assert spectrogram.decibels.shape == expected.shape == (128, 1 + len(samples) // 512)
    assert spectrogram.decibels.dtype == np.float32
    assert np.abs(spectrogram.decibels - expected).max() < 1e-4


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2205, 12_000),
    loudness=st.floats(-5.0, 0.0),
    frequency_hz=st.floats(30.0, 11_000.0),
)
@settings(max_examples=100, deadline=None)
def test_any_mixture_of_tone_and_noise_equals_librosas(transform, seed, count, loudness, frequency_hz):
    """Feature: voice-to-image-system, Property 4: Spectrogram Extraction Consistency."""
    noise = np.random.default_rng(seed).standard_normal(count)
    tone = np.sin(2 * np.pi * frequency_hz * np.arange(count) / 22050)
    samples = (10**loudness * (tone + 0.01 * noise)).astype(np.float32)
    decibels = log_mel_spectrogram(transform.power_of_clip(samples)).decibels
    assert np.abs(decibels - librosa_decibels(samples)).max() < 1e-4


def test_filters_equal_librosas():
    filters = mel_filter_bank(
        sample_rate_hz=22050, fft_size=2048, mel_bins=128, min_frequency_hz=0.0, max_frequency_hz=11025.0
    )
    expected = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=128)
    assert np.abs(filters.toarray() - expected).max() < 1e-7


@given(st.floats(0.0, 22_050.0))
@settings(deadline=None)
def test_mel_scale_inverts(frequency_hz):
    mel = hz_to_mel(frequency_hz)
    assert mel == pytest.approx(librosa.hz_to_mel(frequency_hz))
    assert mel_to_hz(mel) == pytest.approx(frequency_hz, abs=1e-6)


def test_scaled_values_span_eighty_decibels(sounds, transform):
    spectrogram = log_mel_spectrogram(transform.power_of_clip(sounds.tone(440)))
    assert spectrogram.scaled.dtype == np.float32
    assert spectrogram.scaled.min() == 0.0
    assert spectrogram.scaled.max() == 1.0
    assert np.abs(spectrogram.scaled - (1 + spectrogram.decibels / 80)).max() < 1e-6


def test_a_tone_lies_in_its_band(sounds, transform):
    scaled = log_mel_spectrogram(transform.power_of_clip(sounds.tone(1000))).scaled
    centres_hz = librosa.mel_frequencies(n_mels=130, fmax=11025)[1:-1]
    assert abs(centres_hz[scaled[:, 40].argmax()] - 1000) < 30


def test_silence_is_all_zero(transform):
    spectrogram = log_mel_spectrogram(transform.power_of_clip(np.zeros(22050, np.float32)))
    assert not spectrogram.scaled.any()


def test_gain_changes_nothing(sounds, transform):
    samples = sounds.chord(60, 64, 67)
    quiet = log_mel_spectrogram(transform.power_of_clip(samples / 2)).scaled
    loud = log_mel_spectrogram(transform.power_of_clip(samples)).scaled
    assert np.abs(quiet - loud).max() < 1e-6


def test_other_settings():
    transform = MelTransform(MelSettings(sample_rate_hz=16000, fft_size=1024, hop_length=160, mel_bins=64))
    assert transform.power_of_clip(np.zeros(16000, np.float32)).shape == (64, 101)


@pytest.mark.parametrize(
    ("rate_hz", "fft_size", "hop_length", "bins", "low_hz", "high_hz"),
    [
        (16000, 1024, 160, 64, 0.0, 8000.0),  # AudioLDM's
        (48000, 1024, 480, 64, 50.0, 14000.0),  # CLAP's
        (8000, 256, 32, 8, 100.0, None),
        (22050, 8192, 8192, 512, 0.0, None),
        (44100, 128, 128, 80, 20.0, 20000.0),  # most of its bins are narrower than a frequency of the FFT
        (22050, 2048, 512, 96, 5000.0, 5300.5),
    ],
)
def test_other_parameters_equal_librosas(rate_hz, fft_size, hop_length, bins, low_hz, high_hz):
    samples = np.random.default_rng(bins).normal(0, 0.1, 2 * rate_hz).astype(np.float32)
    samples += 0.2 * np.sin(2 * np.pi * 1500.0 * np.arange(2 * rate_hz) / rate_hz).astype(np.float32)
    transform = MelTransform(
        MelSettings(
            sample_rate_hz=rate_hz,
            fft_size=fft_size,
            hop_length=hop_length,
            mel_bins=bins,
            min_frequency_hz=low_hz,
            max_frequency_hz=high_hz,
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of empty bins
        power = librosa.feature.melspectrogram(
            y=samples,
            sr=rate_hz,
            n_fft=fft_size,
            hop_length=hop_length,
            n_mels=bins,
            fmin=low_hz,
            fmax=high_hz,
        )
    decibels = log_mel_spectrogram(transform.power_of_clip(samples)).decibels
    assert decibels.shape == (bins, transform.settings.frame_count_of(2.0))
    assert np.abs(decibels - librosa.power_to_db(power, ref=np.max)).max() < 2e-4


@given(
    frames=st.integers(1, 60), count=st.integers(1, 60), seed=st.integers(0, 2**32), bins=st.integers(1, 9)
)
@settings(max_examples=100, deadline=None)
def test_frames_are_resampled_by_triangles(frames, count, seed, bins):
    scaled = np.random.default_rng(seed).random((bins, frames), dtype=np.float32)
    resampled = resample_frames(scaled, count)
    step = frames / count
    centres = (np.arange(count) + 0.5) * step - 0.5
    width = max(1.0, step)
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(frames)) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    assert resampled.shape == (bins, count)
    np.testing.assert_allclose(resampled, scaled @ weights.T, atol=1e-5)
    if count == frames:
        np.testing.assert_array_equal(resampled, scaled)


@given(start=st.integers(0, 60), count=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_a_frame_depends_on_its_own_window_alone(sounds, transform, start, count):
    samples = sounds.noise(2.5, seed=3)
    whole = transform.power_of_windows(samples)
    part = transform.power_of_windows(samples[start * 512 : (start + count - 1) * 512 + 2048])
    assert np.array_equal(part, whole[:, start : start + count])


def test_repetition_gives_the_same_bits(sounds, transform):
    samples = sounds.noise(1.0)
    first = transform.power_of_clip(samples)
    # An odd offset in memory must not matter either.
    moved = np.empty(len(samples) + 1, np.float32)[1:]
    moved[:] = samples
    assert all(np.array_equal(first, transform.power_of_clip(moved)) for _ in range(5))


@pytest.mark.parametrize("size", [64, 256, 2048, 200_000])
def test_blocks_are_the_spectra_of_all_windows(sounds, size):
    samples, window, hop = sounds.noise(12.0), hann_window(size), max(32, size // 4)
    blocks = list(power_blocks(samples, window=window, hop_length=hop))
    starts = range(0, len(samples) - size + 1, hop)
    assert sum(len(block) for block in blocks) == len(starts)
    whole = np.concatenate(blocks)
    assert np.array_equal(power_of_windows(samples, window=window, hop_length=hop), whole)
    for row in (0, len(starts) // 2, len(starts) - 1):
        expected = np.abs(np.fft.rfft(samples[starts[row] : starts[row] + size] * window)) ** 2
        # As pytest.approx compares, which takes seconds for a hundred thousand numbers.
        assert (np.abs(whole[row] - expected) <= np.maximum(1e-5 * expected, 1e-9)).all()
