"""The declared properties of an audio file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Container(Enum):
    """Kinds of audio file that can be read."""

    WAV = "WAV"
    MP3 = "MP3"
    FLAC = "FLAC"
    OGG = "OGG"


SUPPORTED_CONTAINERS = ", ".join(container.value for container in Container)


@dataclass(frozen=True)
class StreamHeader:
    """What a file declares about its audio.

    Attributes:
        container: kind of file.
        codec: name of the sample coding.
        sample_rate_hz: declared sample rate, unchecked.
        channels: declared channel count, unchecked.
        frames: declared number of samples per channel.
        padding_frames: how many of the decoded samples may be padding of the encoder, by which
            a decoded file may exceed the length of the sound that was encoded.
    """

    container: Container
    codec: str
    sample_rate_hz: int
    channels: int
    frames: int
    padding_frames: int = 0
