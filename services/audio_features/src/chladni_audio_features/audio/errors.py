"""Faults in the audio that a caller sent.

::

    InvalidInputError (chladni_runtime)
    └── AudioError
        ├── EmptyAudioError           no bytes, or a header without samples
        ├── AudioTooLargeError        more bytes than allowed
        ├── UnsupportedFormatError    no supported kind of file, or a codec inside that is not read
        ├── CorruptAudioError         a header that contradicts itself
        │   └── TruncatedAudioError   the file ends, or stops decoding, before its declared end
        ├── AudioTooLongError         more seconds than allowed
        ├── AudioTooShortError        fewer seconds than an analysis needs
        ├── AudioLayoutError
        │   ├── ChannelCountError     no channels, or more than allowed
        │   └── SampleRateError       a sample rate outside the allowed range
        ├── PartError                 a part that lies outside the audio
        └── SampleValueError          NaN, infinite or absurdly large samples

Each has a stable reason for programs, the field of the request that is wrong, and a message for
people that names the limit and says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chladni_contract.errors import InvalidInputError, MetadataValue, Reason

AUDIO_FIELD = "audio.content"


class AudioError(InvalidInputError):
    """The audio cannot be used as it is; the caller can mend that.

    Args:
        message: what is wrong, the limit, and what to do.
        field: path of the field in the request.
        metadata: The numbers of the message, under keys that its reason declares.
    """

    audio_reason: ClassVar[Reason] = Reason.CORRUPT_AUDIO

    def __init__(
        self,
        message: str,
        *,
        field: str = AUDIO_FIELD,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        super().__init__(self.audio_reason, message, field=field, metadata=metadata)


class EmptyAudioError(AudioError):
    """There is nothing to decode."""

    audio_reason = Reason.EMPTY_AUDIO


class AudioTooLargeError(AudioError):
    """The file has more bytes than the limit."""

    audio_reason = Reason.FILE_TOO_LARGE


class UnsupportedFormatError(AudioError):
    """The bytes are of another kind than the supported ones."""

    audio_reason = Reason.UNSUPPORTED_AUDIO_FORMAT


class CorruptAudioError(AudioError):
    """The file contradicts itself or cannot be decoded."""


class TruncatedAudioError(CorruptAudioError):
    """The file holds less audio than it declares."""


class AudioTooLongError(AudioError):
    """The clip lasts longer than the limit."""

    audio_reason = Reason.AUDIO_TOO_LONG


class AudioTooShortError(AudioError):
    """The clip is shorter than the limit."""

    audio_reason = Reason.AUDIO_TOO_SHORT


class AudioLayoutError(AudioError):
    """The sample rate or the number of channels is outside the limits."""

    audio_reason = Reason.UNSUPPORTED_AUDIO_LAYOUT


class ChannelCountError(AudioLayoutError):
    """The clip has no channels, or too many."""


class SampleRateError(AudioLayoutError):
    """The sample rate is outside the allowed range."""


class SampleValueError(AudioError):
    """A sample is not a number, infinite or absurdly large."""

    audio_reason = Reason.NON_FINITE_AUDIO


class PartError(AudioError):
    """The chosen part does not lie within the audio."""

    audio_reason = Reason.INVALID_FIELD
