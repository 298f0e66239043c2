"""The analysis of one live clip: frames as its PCM arrives, a summary at its end.

Whatever the chunks, the frames put together equal, to the bit, what `MelTransform` computes of the
whole clip at once: each frame depends on its own window alone, and the resampler keeps its state
from chunk to chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.pcm import PcmReader
from chladni_audio_features.extraction import FeatureExtractor

MIN_LEVEL_DBFS = -120.0
"""Level of silence: lower than the noise floor of 16-bit sound."""


@dataclass(frozen=True)
class LiveLimits:
    """How long a live sound may be.

    Attributes:
        min_summary_seconds: shorter sounds get no descriptors and no embedding.
        max_seconds: sounds end there, because the summary needs all of it in memory.
    """

    min_summary_seconds: float
    max_seconds: float


@dataclass(frozen=True, eq=False)
class LiveSummary:
    """A live sound as a whole, or so far.

    Attributes:
        frame_count: mel frames in all.
        duration_seconds: length of the sound.
        descriptors: None if the sound was too short.
        embedding: (152,) float32; None if the sound was too short.
    """

    frame_count: int
    duration_seconds: float
    descriptors: Descriptors | None
    embedding: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Level:
    """How loud a stretch of sound is.

    Attributes:
        rms_dbfs: root mean square in dB relative to full scale, at least -120.
        peak_dbfs: largest magnitude in dB relative to full scale, at least -120.
    """

    rms_dbfs: float
    peak_dbfs: float


@dataclass(frozen=True, eq=False)
class StreamedFrames:
    """What a chunk of live sound completed.

    Attributes:
        first_frame: index in the stream of the first of these frames.
        mel_power: (mel_bins, k) float32, k may be 0.
        level: level of the chunk before resampling; None if no sound arrived with them.
    """

    first_frame: int
    mel_power: npt.NDArray[np.float32]
    level: Level | None


class LiveAnalysis:
    """Analyses one live sound; belongs to one stream."""

    def __init__(self, extractor: FeatureExtractor, reader: PcmReader, *, limits: LiveLimits) -> None:
        """Begin a sound whose chunks `reader` understands."""
        self._extractor = extractor
        self._reader = reader
        self._limits = limits
        self._stream = MelStream(extractor.transform, sample_rate_hz=reader.sample_rate_hz)
        self._max_frames = int(limits.max_seconds * reader.sample_rate_hz)

    @property
    def is_full(self) -> bool:
        """Whether the sound has the longest allowed length."""
        return self._stream.received_frames >= self._max_frames

    def push(self, chunk: bytes) -> StreamedFrames:
        """Take the next bytes of PCM; what goes beyond the longest allowed length is left out.

        Raises:
            AudioError: the chunk is malformed.
        """
        samples = self._reader.read(chunk)
        return self._stream.push(samples[: self._max_frames - self._stream.received_frames])

    def summarise(self) -> LiveSummary:
        """Describe the sound so far; the resampler may hold its last milliseconds back until more comes."""
        samples = self._stream.samples()
        analysed_seconds = len(samples) / self._extractor.transform.settings.sample_rate_hz
        seconds = min(self._stream.duration_seconds, analysed_seconds)
        return self._summary(samples, is_long_enough=seconds >= self._limits.min_summary_seconds)

    def finish(self) -> tuple[StreamedFrames, LiveSummary]:
        """End the sound: return the last frames and the summary."""
        frames = self._stream.finish()
        is_long_enough = self._stream.duration_seconds >= self._limits.min_summary_seconds
        return frames, self._summary(self._stream.samples(), is_long_enough=is_long_enough)

    def _summary(self, samples: npt.NDArray[np.float32], *, is_long_enough: bool) -> LiveSummary:
        descriptors = self._extractor.analyser.describe(samples) if is_long_enough else None
        return LiveSummary(
            frame_count=self._stream.frame_count,
            duration_seconds=self._stream.duration_seconds,
            descriptors=descriptors,
            embedding=self._extractor.embedder.embed(descriptors) if descriptors else None,
        )


class MelStream:
    """Mel power of one live sound.

    Belongs to one stream and one thread at a time. Besides the window in progress it keeps the
    resampled sound, from which the summary at the end is computed; the caller bounds its length.
    """

    def __init__(self, transform: MelTransform, *, sample_rate_hz: int) -> None:
        """Begin a stream of mono sound at `sample_rate_hz`, resampled as the transform needs."""
        self._transform = transform
        self._sample_rate_hz = sample_rate_hz
        settings = transform.settings
        self._resampler = (
            None
            if sample_rate_hz == settings.sample_rate_hz
            else soxr.ResampleStream(
                sample_rate_hz, settings.sample_rate_hz, 1, dtype="float32", quality="HQ"
            )
        )
        self._half_window = np.zeros(settings.fft_size // 2, dtype=np.float32)
        self._pending = self._half_window  # samples that later windows still need
        self._resampled = bytearray()  # float32; grows in place however small the chunks are
        self._frame_count = 0
        self._received_frames = 0

    @property
    def frame_count(self) -> int:
        """Mel frames completed so far."""
        return self._frame_count

    @property
    def received_frames(self) -> int:
        """Sample frames received so far."""
        return self._received_frames

    @property
    def duration_seconds(self) -> float:
        """Length of the sound received so far."""
        return self._received_frames / self._sample_rate_hz

    def push(self, samples: npt.NDArray[np.float32]) -> StreamedFrames:
        """Take the next samples, (n,) float32 mono; n may be 0."""
        self._received_frames += len(samples)
        level = measure_level(samples) if len(samples) else None
        resampled = self._resample(samples, last=False)
        self._resampled += resampled.tobytes()
        return self._complete_frames([resampled], level=level)

    def finish(self) -> StreamedFrames:
        """End the sound and return the frames that were waiting for more of it."""
        tail = self._resample(np.zeros(0, dtype=np.float32), last=True)
        self._resampled += tail.tobytes()
        if self._received_frames == 0:
            return StreamedFrames(0, self._transform.power_of_windows(tail), level=None)
        # Silence after the end centres the last frames, as it does in `MelTransform`.
        return self._complete_frames([tail, self._half_window], level=None)

    def samples(self) -> npt.NDArray[np.float32]:
        """Return the sound so far at the transform's sample rate, (n,) float32."""
        return np.frombuffer(bytes(self._resampled), dtype=np.float32)

    def _resample(self, samples: npt.NDArray[np.float32], *, last: bool) -> npt.NDArray[np.float32]:
        if self._resampler is None:
            return samples
        resampled: npt.NDArray[np.float32] = self._resampler.resample_chunk(samples, last=last)
        return resampled

    def _complete_frames(
        self, parts: list[npt.NDArray[np.float32]], *, level: Level | None
    ) -> StreamedFrames:
        samples = np.concatenate([self._pending, *parts])
        mel_power = self._transform.power_of_windows(samples)
        completed = mel_power.shape[1]
        self._pending = samples[completed * self._transform.settings.hop_length :]
        frames = StreamedFrames(self._frame_count, mel_power, level)
        self._frame_count += completed
        return frames


def measure_level(samples: npt.NDArray[np.float32]) -> Level:
    """Measure a stretch of mono sound; nothing at all is as loud as silence."""
    if not len(samples):
        return Level(MIN_LEVEL_DBFS, MIN_LEVEL_DBFS)
    wide = samples.astype(np.float64)
    return Level(
        rms_dbfs=_to_dbfs(float(np.sqrt(np.mean(np.square(wide))))),
        peak_dbfs=_to_dbfs(float(np.abs(wide).max())),
    )


def _to_dbfs(amplitude: float) -> float:
    floor = 10.0 ** (MIN_LEVEL_DBFS / 20.0)
    return 20.0 * float(np.log10(max(amplitude, floor)))
