"""One decoded clip, and what several of its features are made of."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser, Descriptors
from chladni_audio_features.analysis.spectrogram import MelTransform, log_mel_spectrogram
from chladni_audio_features.audio.clip import AudioClip
from chladni_audio_features.audio.decoding import resampled


class ClipAnalysis:
    """Computes what is asked for, once. Belongs to one request and one thread.

    Args:
        clip: The sound at the sample rate of its file.
        transform: Computes mel spectrograms.
        analyser: Computes descriptors.
    """

    def __init__(self, clip: AudioClip, *, transform: MelTransform, analyser: DescriptorAnalyser) -> None:
        self.source = clip.source
        self._clip = clip
        self._transform = transform
        self._analyser = analyser

    def samples_at(self, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """Return the sound in mono, (n,) float32, at a sample rate."""
        return resampled(self._clip, sample_rate_hz).samples

    @cached_property
    def scaled_log_mel(self) -> npt.NDArray[np.float32]:
        """The log-mel spectrogram, (mel bins, frames) float32 in [0, 1]."""
        return log_mel_spectrogram(self._transform.power_of_clip(self._analysed_samples)).scaled

    @cached_property
    def descriptors(self) -> Descriptors:
        """The descriptors of the sound."""
        return self._analyser.describe(self._analysed_samples)

    @cached_property
    def _analysed_samples(self) -> npt.NDArray[np.float32]:
        return self.samples_at(self._transform.settings.sample_rate_hz)
