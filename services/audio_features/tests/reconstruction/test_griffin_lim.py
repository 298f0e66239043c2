"""Samples of spectrograms: librosa's phases, and the level and the spectrum of what was there."""

from __future__ import annotations

import librosa
import numpy as np

from chladni_audio_features.reconstruction.griffin_lim import griffin_lim, power_of_bins, samples_of_mel
from chladni_audio_features.reconstruction.windows import transform_of


class GivenPhases(np.random.Generator):
    """Draws, for librosa, the phases that are given."""

    def __init__(self, phases):
        super().__init__(np.random.PCG64())
        self._phases = phases

    def random(self, size):
        assert size == self._phases.shape
        return self._phases / (2 * np.pi)


def test_the_samples_are_those_of_librosa(chirp):
    magnitudes = np.abs(librosa.stft(chirp[:16_000], n_fft=1024, hop_length=313)).astype(np.float32)
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, magnitudes.shape)
    ours = griffin_lim(magnitudes, phases, 1024, 313, 313 * (magnitudes.shape[1] - 1), iterations=4)
    theirs = librosa.griffinlim(
        magnitudes, n_iter=4, hop_length=313, n_fft=1024, momentum=0.99, random_state=GivenPhases(phases)
    )
    np.testing.assert_allclose(ours, theirs, atol=2e-3 * np.abs(theirs).max())


def test_power_in_bins_sums_to_the_mel_power(chirp):
    transform = transform_of()
    power = transform.power_of_clip(chirp[:16_000])
    bins = power_of_bins(power, transform.settings)
    assert bins.shape == (513, power.shape[1])
    assert bins.min() >= 0.0
    again = transform.mel_power(np.ascontiguousarray(bins.T))
    loud = power > 1e-4 * power.max()
    assert np.median(np.abs(10 * np.log10(again[loud] / power[loud]))) < 0.5


def test_samples_have_the_level_and_the_spectrum(chirp):
    clip = chirp[:32_000]
    transform = transform_of()
    power = transform.power_of_clip(clip)
    samples = samples_of_mel(power, transform.settings, len(clip))
    assert samples.shape == clip.shape
    assert samples.dtype == np.float32
    assert abs(20 * np.log10(samples.std() / clip.std())) < 1.5
    again = transform.power_of_clip(samples)
    assert np.abs(again.argmax(axis=0) - power.argmax(axis=0))[4:-4].max() <= 1
    np.testing.assert_array_equal(samples, samples_of_mel(power, transform.settings, len(clip)))


def test_no_power_is_silence():
    samples = samples_of_mel(np.zeros((128, 20), np.float32), transform_of().settings, 5000)
    assert samples.shape == (5000,)
    assert not samples.any()
