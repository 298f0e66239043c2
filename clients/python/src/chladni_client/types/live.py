"""Live sounds: what `stream_features` reports while they last."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from chladni_client.files import ImageFile
from chladni_client.types.audio import Descriptor, Embedding, Tensor


class PcmEncoding(StrEnum):
    """Type of a sample."""

    INT16 = "int16"
    """Signed 16-bit little-endian integers."""
    FLOAT32 = "float32"
    """32-bit little-endian floats in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """What the bytes of a live sound mean; channels are interleaved.

    Attributes:
        sample_rate_hz: Sample rate, 8000 to 192000.
        channel_count: Channels, 1 to 8.
        encoding: Type of a sample.
    """

    sample_rate_hz: int
    channel_count: int = 1
    encoding: PcmEncoding = PcmEncoding.INT16

    @property
    def bytes_per_second(self) -> int:
        """Bytes that a second of sound takes."""
        sample_bytes = 2 if self.encoding is PcmEncoding.INT16 else 4
        return self.sample_rate_hz * self.channel_count * sample_bytes


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """Level of a stretch of sound, in dB relative to full scale.

    Attributes:
        rms_dbfs: Root mean square, -120 to 0.
        peak_dbfs: Largest magnitude, -120 to 0.
    """

    rms_dbfs: float
    peak_dbfs: float


@dataclass(frozen=True, slots=True)
class MelFrames:
    """Mel frames that became complete.

    Attributes:
        first_frame: Index of the first of them; the first frame of a sound is 0.
        power_db: Mel power in dB relative to a power of 1, of shape (mel bins, frames).
        level: Level of the sound since the event before; `None` if the server did not say.
    """

    first_frame: int
    power_db: Tensor
    level: AudioLevel | None


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """A live sound as a whole; the last event.

    Attributes:
        frame_count: Mel frames in all.
        duration_seconds: Length of the sound.
        descriptors: Descriptors; empty if the audio was too short.
        embedding: Embedding; `None` if the audio was too short.
    """

    frame_count: int
    duration_seconds: float
    descriptors: tuple[Descriptor, ...]
    embedding: Embedding | None


@dataclass(frozen=True, slots=True)
class LiveImage(ImageFile):
    """The newest image of live audio.

    Attributes:
        index: Number of the image; 0 is the first one.
        time_seconds: Moment that its right edge shows, from the beginning of the audio.
        content: The image's file.
        width_pixels: Its width.
        height_pixels: Its height.
        seed: Seed of the stream.
        window_seconds: Length of the audio that an image shows: between two images, what is seen moves to the
            left by their distance in time over this length.
        skipped_images: Images that were due so far and left out, because someone was slow.
        late_images: Images so far that were done more than 300 ms after their moment had been heard.
        delay_seconds: Time from when the moment had been heard to when the image was done.
    """

    index: int
    time_seconds: float
    content: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    seed: int
    window_seconds: float
    skipped_images: int
    late_images: int
    delay_seconds: float


LiveEvent: TypeAlias = MelFrames | LiveSummary
