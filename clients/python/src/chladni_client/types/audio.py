"""Sounds: what was found in a recording, and what it is like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chladni_client.files import FileSource, ImageFile
from chladni_client.types.initial_latents import LatentCalibration


@runtime_checkable
class SupportsArray(Protocol):
    """Anything that NumPy can make an array of: arrays themselves, tensors of torch, and more."""

    def __array__(self) -> NDArray[Any]:
        """Return the array."""
        ...


AudioInput: TypeAlias = FileSource | SupportsArray
"""An audio file (its bytes, its path or an open binary file), or an array of samples."""


@dataclass(frozen=True, slots=True)
class ServerWarning:
    """Something that was left out or overridden, such as damaged audio or text that a model did not read.

    Attributes:
        reason: What it is about: a name of ``chladni.errors.v1.WarningReason`` without its prefix, such as
            ``TEXT_TRUNCATED``; empty if this client does not know it.
        message: What was done or left out, and what to do about it.
        metadata: Facts of the message, by name.
    """

    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class AudioProperties:
    """What was found in a recording.

    Attributes:
        format: Container and codec, such as ``wav``, ``mp3``, ``mp4`` or ``matroska``.
        sample_rate_hz: Sample rate of the file.
        channel_count: Channels of the file.
        duration_seconds: Length of the sound, of the part if one was chosen.
        sha256: SHA-256 of the file's bytes, hexadecimal.
        start_seconds: Where the chosen part begins; `None` if the audio was taken as a whole.
    """

    format: str
    sample_rate_hz: int
    channel_count: int
    duration_seconds: float
    sha256: str
    start_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One named quantity of a sound.

    Attributes:
        name: Stable name, such as ``brightness``.
        value: The value, in `unit`, within [minimum, maximum].
        unit: Such as ``Hz`` or ``dB``; ``1`` for a plain number.
        minimum: Smallest value that can occur.
        maximum: Largest value that can occur.
        description: What it measures.
    """

    name: str
    value: float
    unit: str
    minimum: float
    maximum: float
    description: str

    @property
    def position(self) -> float:
        """Where the value lies in its range: 0 at the minimum, 1 at the maximum."""
        span = self.maximum - self.minimum
        return min(1.0, max(0.0, (self.value - self.minimum) / span)) if span > 0 else 0.0


class Colormap(StrEnum):
    """Colours of a spectrogram."""

    VIRIDIS = "viridis"
    GRAY = "gray"


@dataclass(frozen=True, slots=True)
class Spectrogram(ImageFile):
    """The log-mel spectrogram of a sound as an image: time to the right, frequency upwards.

    Attributes:
        content: The file of the image.
        width_pixels: Width.
        height_pixels: Height.
        audio: What was found in the recording.
        warnings: What the caller should know about the audio; usually empty.
    """

    content: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    audio: AudioProperties
    warnings: tuple[ServerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class MelOptions:
    """How a mel spectrogram is made; what is left out has the value that images are made with.

    Attributes:
        sample_rate_hz: Sample rate to analyse at, 8000 to 48000; 22050 if absent.
        fft_size: Length of the FFT in samples, 128 to 8192; 2048 if absent.
        hop_length: Distance between frames in samples, 32 to `fft_size`; 512 if absent.
        mel_bin_count: Mel bins, 8 to 512; 128 if absent.
        min_frequency_hz: Lower edge of the lowest bin; 0 if absent.
        max_frequency_hz: Upper edge of the highest bin; half the sample rate if absent.
        frame_count: Frames to resample it to, 8 to 8192; as many as the hop length gives if absent.
    """

    sample_rate_hz: int | None = None
    fft_size: int | None = None
    hop_length: int | None = None
    mel_bin_count: int | None = None
    min_frequency_hz: float | None = None
    max_frequency_hz: float | None = None
    frame_count: int | None = None


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array in row-major order; ``numpy.asarray(tensor)`` gives a read-only view of it without a copy.

    Attributes:
        dtype: Element type in NumPy's notation: ``<f4``, ``<f2``, ``|u1``, ``<i2`` or ``<i8``.
        shape: Size of each axis, outermost first.
        data: The elements.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes = field(repr=False)

    @property
    def values(self) -> tuple[float, ...]:
        """The elements as Python numbers, flat, in row-major order."""
        return tuple(np.frombuffer(self.data, self.dtype).tolist())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        view = np.frombuffer(self.data, self.dtype).reshape(self.shape)
        # As NumPy asks of arrays: False allows no copy, None makes one if it is needed.
        return np.array(view, dtype, copy=copy)


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector in a named space; only vectors of one space may be compared.

    Attributes:
        space: Name of the space, such as ``chladni-descriptors-v2``.
        values: The components.
        component_names: What each component means; empty if they have no names.
    """

    space: str
    values: tuple[float, ...] = field(repr=False)
    component_names: tuple[str, ...] = field(repr=False)


class Feature(StrEnum):
    """What `extract_features` can compute."""

    LOG_MEL = "log_mel"
    DESCRIPTORS = "descriptors"
    EMBEDDING = "embedding"
    INITIAL_LATENTS = "initial_latents"


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """Features of a recording; those that were not asked for are empty.

    Attributes:
        audio: What was found in the file.
        descriptors: Descriptors, in a fixed order.
        embedding: Embedding of the sound.
        log_mel: Log-mel spectrogram of shape (mel bins, frames), in [0, 1], where 1 is the loudest cell
            and 0 is 80 dB or more below it.
        processing_seconds: Time spent decoding and analysing.
        initial_latents: Initial latents of shape (C, H, W).
        latent_calibration: What scaled `initial_latents`; `None` if nothing did.
        warnings: What the caller should know about the audio; usually empty.
    """

    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]
    embedding: Embedding | None
    log_mel: Tensor | None
    processing_seconds: float
    initial_latents: Tensor | None = None
    latent_calibration: LatentCalibration | None = None
    warnings: tuple[ServerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioReconstruction:
    """A recording after the audio autoencoder. The figures compare log-mel spectrograms in [0, 1].

    Attributes:
        audio: What was found in the file.
        content: The reconstruction as a WAV file; empty if it was not asked for.
        original_spectrogram: Spectrogram of the recording as PNG; empty if it was not asked for.
        reconstructed_spectrogram: That of the reconstruction, in the same scale.
        mean_squared_error: 0 to 1.
        mean_absolute_error: 0 to 1.
        cosine: Cosine between them, 0 to 1.
        perceptual_similarity: How alike they look to hearing, at most 1: the neurogram similarity index
            measure (NSIM).
        latents: What the reconstruction is made from, of shape (T, D), one row for
            each 16 frames of the spectrogram; `None` if not asked for.
        model: Autoencoder that was used.
        model_digest: SHA-256 over its files.
        window_seconds: Length of the windows that are reconstructed one after the other.
        processing_seconds: Time that it took.
        warnings: What the caller should know about the audio; usually empty.
    """

    audio: AudioProperties
    content: bytes = field(repr=False)
    original_spectrogram: bytes = field(repr=False)
    reconstructed_spectrogram: bytes = field(repr=False)
    mean_squared_error: float
    mean_absolute_error: float
    cosine: float
    perceptual_similarity: float
    latents: Tensor | None
    model: str
    model_digest: str
    window_seconds: float
    processing_seconds: float
    warnings: tuple[ServerWarning, ...] = ()
