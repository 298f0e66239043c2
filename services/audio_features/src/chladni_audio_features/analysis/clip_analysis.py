"""One decoded clip, what several of its features are made of, and its spectrograms by request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser, Descriptors
from chladni_audio_features.analysis.spectrogram import (
    MelSettings,
    MelTransform,
    log_mel_spectrogram,
    resample_frames,
)
from chladni_audio_features.audio.clip import AudioClip
from chladni_audio_features.audio.decoding import resampled
from chladni_contract.errors import InvalidInputError, Reason

MAX_COMPUTED_CELLS: Final = 16_000_000
"""Cells, 4 bytes each, of a spectrogram before its frames are resampled."""

_KEPT_TRANSFORMS: Final = 8
_FIELD: Final = "mel"


class ClipAnalysis:
    """Computes what is asked for, once. Belongs to one request and one thread.

    Args:
        clip: The sound at the sample rate of its file.
        transform: Computes mel spectrograms.
        analyser: Computes descriptors.
    """

    def __init__(self, clip: AudioClip, *, transform: MelTransform, analyser: DescriptorAnalyser) -> None:
        self.source = clip.source
        self.transform = transform
        self._clip = clip
        self._analyser = analyser

    def samples_at(self, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """Return the sound in mono, (n,) float32, at a sample rate."""
        return resampled(self._clip, sample_rate_hz).samples

    @cached_property
    def scaled_log_mel(self) -> npt.NDArray[np.float32]:
        """The log-mel spectrogram, (mel bins, frames) float32 in [0, 1]."""
        return log_mel_spectrogram(self.transform.power_of_clip(self._analysed_samples)).scaled

    @cached_property
    def descriptors(self) -> Descriptors:
        """The descriptors of the sound."""
        return self._analyser.describe(self._analysed_samples)

    @cached_property
    def _analysed_samples(self) -> npt.NDArray[np.float32]:
        return self.samples_at(self.transform.settings.sample_rate_hz)


@dataclass(frozen=True)
class MelRequest:
    """Which mel spectrogram is wanted.

    Attributes:
        settings: How it is made.
        frame_count: Number of frames to resample it to; `None` for as many as the hop length gives.
    """

    settings: MelSettings
    frame_count: int | None = None

    def make(self, clip: ClipAnalysis, *, max_cells: int | None = None) -> npt.NDArray[np.float32]:
        """Return the log-mel spectrogram of a clip, (mel bins, frames) float32 in [0, 1].

        Args:
            clip: The clip.
            max_cells: Cells that the spectrogram may have; `None` for any number.

        Raises:
            InvalidInputError: It would have too many cells.
        """
        settings = self.settings
        computed_frames = settings.frame_count_of(clip.source.duration_seconds)
        self._check_cells(computed_frames, MAX_COMPUTED_CELLS)
        if max_cells is not None:
            self._check_cells(self.frame_count or computed_frames, max_cells)
        if settings == clip.transform.settings:
            scaled = clip.scaled_log_mel
        else:
            power = _transform_of(settings).power_of_clip(clip.samples_at(settings.sample_rate_hz))
            scaled = log_mel_spectrogram(power).scaled
        return scaled if self.frame_count is None else resample_frames(scaled, self.frame_count)

    def _check_cells(self, frame_count: int, max_cells: int) -> None:
        bins = self.settings.mel_bins
        if bins * frame_count > max_cells:
            raise InvalidInputError(
                Reason.INVALID_FIELD,
                f"the spectrogram would have {bins} x {frame_count} cells, at most {max_cells} are allowed; "
                "take a larger hop_length, fewer bins or a smaller frame_count",
                field=_FIELD,
                metadata={"value": bins * frame_count, "maximum": max_cells},
            )


@lru_cache(maxsize=_KEPT_TRANSFORMS)
def _transform_of(settings: MelSettings) -> MelTransform:
    """Return the transform of some settings; making its filter bank may take longer than using it."""
    return MelTransform(settings)
