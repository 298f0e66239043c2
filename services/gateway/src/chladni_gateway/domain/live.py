"""Live sound: what is sent and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from chladni_gateway.domain.audio import Descriptor

MIN_LIVE_SAMPLE_RATE_HZ: Final = 16_000
MAX_LIVE_SAMPLE_RATE_HZ: Final = 48_000
BYTES_PER_SAMPLE: Final = 2
"""Live sound is mono, in little-endian 16-bit integers."""


class Flush(Enum):
    """Asks, between chunks of sound, for a summary of the sound so far."""

    FLUSH = "flush"


LiveChunk: TypeAlias = bytes | Flush


@dataclass(frozen=True, slots=True)
class MelParameters:
    """How mel frames are made; the fields are those of ``chladni.audio.v1.MelParameters``."""

    sample_rate_hz: int
    fft_size: int
    hop_length: int
    mel_bin_count: int
    min_frequency_hz: float
    max_frequency_hz: float


@dataclass(frozen=True, slots=True)
class LiveReady:
    """The analysis is ready for sound.

    Attributes:
        mel_parameters: How the frames will be made.
        max_duration_seconds: Longest sound; 0 if the service does not say.
    """

    mel_parameters: MelParameters
    max_duration_seconds: float


@dataclass(frozen=True, slots=True)
class LiveFrames:
    """Mel frames that became complete.

    Attributes:
        first_frame: Index in the sound of the first of them.
        mel_bin_count: Mel bins of a frame.
        power_db: Each frame's mel power in dB relative to a power of 1, the lowest bin first.
        level_dbfs: Root mean square of the sound since the previous ones, in dB relative to full scale;
            `None` if no sound came with them.
        peak_dbfs: Its largest magnitude, likewise.
    """

    first_frame: int
    mel_bin_count: int
    power_db: tuple[tuple[float, ...], ...]
    level_dbfs: float | None
    peak_dbfs: float | None


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """A live sound as a whole, or so far.

    Attributes:
        frame_count: Mel frames in all.
        duration_seconds: Length of the sound.
        is_end: Whether the sound has ended; if not, this answers a flush.
        limit_reached: Whether it ended because it reached the longest allowed length.
        descriptors: Descriptors of the sound; none if it was too short.
    """

    frame_count: int
    duration_seconds: float
    descriptors: tuple[Descriptor, ...]
    is_end: bool = True
    limit_reached: bool = False


LiveEvent: TypeAlias = LiveReady | LiveFrames | LiveSummary


MAX_LIVE_IMAGE_SECONDS: Final = 3600.0
"""Longest live audio that moves an image."""

MAX_LIVE_FRAME_RATE: Final = 30.0
"""Most images of live audio in a second."""


@dataclass(frozen=True, slots=True)
class LiveImageRequest:
    """How live audio is to move an image.

    Attributes:
        sample_rate_hz: Sample rate of the audio.
        caller: Who asks.
        width_pixels: Width of the images; `None` for the default.
        height_pixels: Height of the images; `None` for the default.
        look: Looks by name; empty for the model's first one.
        seed: Seed; `None` if one is to be drawn.
        max_frame_rate: Most images in a second; `None` for the default.
    """

    sample_rate_hz: int
    caller: str
    width_pixels: int | None = None
    height_pixels: int | None = None
    look: str = ""
    seed: int | None = None
    max_frame_rate: float | None = None


@dataclass(frozen=True, slots=True)
class LiveImagesReady:
    """The images are going to come.

    Attributes:
        seed: Seed in use.
        window_seconds: Length of the audio that an image shows.
        width_pixels: Width of the images.
        height_pixels: Height of the images.
    """

    seed: int
    window_seconds: float
    width_pixels: int
    height_pixels: int


@dataclass(frozen=True, slots=True)
class LiveImage:
    """The newest image of live audio.

    Attributes:
        index: Number of the image, from 0.
        time_seconds: Moment that its right edge shows, from the beginning of the audio.
        content: The image, a JPEG.
        skipped_frames: Images that were due so far and left out.
        late_frames: Images so far that were late.
        delay_seconds: Time from when its moment was heard to when it was done.
    """

    index: int
    time_seconds: float
    content: bytes
    skipped_frames: int
    late_frames: int
    delay_seconds: float


LiveImageEvent: TypeAlias = LiveImagesReady | LiveImage
