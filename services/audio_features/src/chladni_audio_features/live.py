"""The analysis of one live sound: frames while it lasts, a summary at its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.audio.errors import AudioTooLongError
from chladni_audio_features.audio.pcm import PCM_FIELD, PcmReader
from chladni_audio_features.extraction import FeatureExtractor
from chladni_audio_features.streaming import MelStream, StreamedFrames


@dataclass(frozen=True)
class LiveLimits:
    """How long a live sound may be.

    Attributes:
        min_summary_seconds: shorter sounds get no descriptors and no embedding.
        max_seconds: longer sounds are refused, because the summary needs all of it in memory.
    """

    min_summary_seconds: float
    max_seconds: float


@dataclass(frozen=True, eq=False)
class LiveSummary:
    """A live sound as a whole.

    Attributes:
        frame_count: mel frames in all.
        duration_seconds: length of the sound.
        descriptors: None where the sound was too short.
        embedding: (152,) float32; None where the sound was too short.
    """

    frame_count: int
    duration_seconds: float
    descriptors: Descriptors | None
    embedding: npt.NDArray[np.float32] | None


class LiveAnalysis:
    """Analyses one live sound; belongs to one stream."""

    def __init__(self, extractor: FeatureExtractor, reader: PcmReader, *, limits: LiveLimits) -> None:
        """Begin a sound whose chunks `reader` understands."""
        self._extractor = extractor
        self._reader = reader
        self._limits = limits
        self._stream = MelStream(extractor.transform, sample_rate_hz=reader.sample_rate_hz)

    def push(self, chunk: bytes) -> StreamedFrames:
        """Take the next bytes of PCM.

        Raises:
            AudioError: the chunk is malformed, or the sound is longer than allowed.
        """
        samples = self._reader.read(chunk)
        duration_seconds = self._stream.duration_seconds + len(samples) / self._reader.sample_rate_hz
        if duration_seconds > self._limits.max_seconds:
            raise AudioTooLongError(
                f"the stream is longer than {self._limits.max_seconds:g} s, the limit; start a new one",
                field=PCM_FIELD,
            )
        return self._stream.push(samples)

    def finish(self) -> tuple[StreamedFrames, LiveSummary]:
        """End the sound: return the last frames and the summary."""
        frames = self._stream.finish()
        is_long_enough = self._stream.duration_seconds >= self._limits.min_summary_seconds
        descriptors = self._extractor.analyser.describe(self._stream.samples()) if is_long_enough else None
        return frames, LiveSummary(
            frame_count=self._stream.frame_count,
            duration_seconds=self._stream.duration_seconds,
            descriptors=descriptors,
            embedding=self._extractor.embedder.embed(descriptors) if descriptors else None,
        )
