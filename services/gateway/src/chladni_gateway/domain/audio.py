"""What is known about a sound."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import Base64UrlBytes

from chladni_contract.warnings import ServiceWarning


class PcmEncoding(StrEnum):
    """Sample type of PCM, little-endian."""

    INT16 = "int16"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How samples without a file are to be read.

    Attributes:
        sample_rate_hz: Sample rate.
        channel_count: Interleaved channels.
        encoding: Sample type.
    """

    sample_rate_hz: int
    channel_count: int
    encoding: PcmEncoding


@dataclass(frozen=True, slots=True)
class AudioClip:
    """Audio as it was sent.

    Attributes:
        content: The file's bytes, or interleaved samples.
        name: Name to show to people; never used as a path. Empty if there is none.
        pcm: How to read samples; `None` for a file.
        start_seconds: Where the part that is meant begins; `None` for the beginning.
        end_seconds: Where the part that is meant ends; `None` for the audio's end.
        source: The file that the samples were cut out of; `None` if they were not.
    """

    content: bytes
    name: str = ""
    pcm: PcmFormat | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    source: ClipSource | None = None

    @property
    def is_part(self) -> bool:
        """Whether a part of the audio is meant."""
        return self.start_seconds is not None or self.end_seconds is not None


@dataclass(frozen=True, slots=True)
class AudioProperties:
    """What was found in a recording.

    Attributes:
        format: Container and codec: a name of `chladni.media.v1.AudioFormat` without its prefix, in small
            letters, such as ``wav``.
        sample_rate_hz: Sample rate of the file.
        channel_count: Channels of the file.
        duration_seconds: Length of the decoded sound.
        sha256: SHA-256 of the file's bytes, in hexadecimal digits.
        start_seconds: Where the chosen part begins; `None` if the audio was taken as a whole.
    """

    format: str
    sample_rate_hz: int
    channel_count: int
    duration_seconds: float
    sha256: str
    start_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ClipSource:
    """The file that a clip was cut out of.

    Attributes:
        audio: What was found in it, and the part that was cut out.
        warnings: What its sender should know about it.
    """

    audio: AudioProperties
    warnings: tuple[ServiceWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One named quantity of a sound.

    Attributes:
        name: Stable name, such as ``brightness``.
        value: The value in `unit`, within [`minimum`, `maximum`].
        unit: Unit, such as ``Hz``; ``1`` for a plain number.
        minimum: Smallest value that can occur.
        maximum: Largest value that can occur.
        description: What it measures, one sentence for people.
    """

    name: str
    value: float
    unit: str
    minimum: float
    maximum: float
    description: str


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector in a named space, which the gateway passes on without looking into it.

    Attributes:
        space: Name of the space.
        shape: Shape of the values.
        data: The values, little-endian float32 in row-major order; base64 if it is kept as JSON.
        component_names: What each component means; empty if they have no names.
    """

    space: str
    shape: tuple[int, ...]
    data: Base64UrlBytes
    component_names: tuple[str, ...] = ()


class LatentBasis(StrEnum):
    """The numbers of a mel spectrogram that become initial latents: its cells, or their cosine transform."""

    MEL = "mel"
    DCT = "dct"


@dataclass(frozen=True, slots=True)
class InitialLatents:
    """Initial latents x_T made from a sound, which the gateway passes on without looking into them.

    Attributes:
        shape: Shape (C, H, W).
        data: The values, little-endian float32 in row-major order.
        calibration: Name of the calibration by which they were z-scored; empty if none did.
        calibration_digest: SHA-256 over the calibration's files, in hexadecimal digits.
    """

    shape: tuple[int, ...]
    data: bytes
    calibration: str = ""
    calibration_digest: str = ""


@dataclass(frozen=True, slots=True)
class InitialLatentsOptions:
    """How initial latents are made from a clip.

    Attributes:
        shape: Shape (C, H, W).
        basis: The numbers of the mel spectrogram that become latents.
        calibration: Calibration by its name; empty for the default one of this shape and basis.
    """

    shape: tuple[int, int, int]
    basis: LatentBasis
    calibration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSelection:
    """What the analysis of a clip is to give beside the descriptors.

    Attributes:
        embedding_model: Model of the embedding; empty for the default one.
        further_embedding_models: Models that embed the clip too.
        initial_latents: How initial latents are made; `None` for none.
    """

    embedding_model: str = ""
    further_embedding_models: tuple[str, ...] = ()
    initial_latents: InitialLatentsOptions | None = None


DEFAULT_FEATURES: Final = FeatureSelection()
"""Descriptors, and the embedding of the default model."""


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """What the analysis of a clip gives.

    Attributes:
        audio: What was found in the file.
        descriptors: Named quantities, in a fixed order.
        embedding: The embedding.
        further_embeddings: An embedding for each further model, in their order.
        initial_latents: Initial latents; `None` unless selected.
        warnings: What the sender should know about the audio.
    """

    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]
    embedding: Embedding
    further_embeddings: tuple[Embedding, ...] = ()
    initial_latents: InitialLatents | None = None
    warnings: tuple[ServiceWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class ReconstructionOptions:
    """What is wanted of a reconstruction beside its figures.

    Attributes:
        model: Autoencoder; empty for the default one.
        with_audio: Whether the reconstruction is wanted as a WAV file.
        with_spectrograms: Whether images of both spectrograms are wanted.
        with_latents: Whether the latents are wanted.
    """

    model: str = ""
    with_audio: bool = True
    with_spectrograms: bool = True
    with_latents: bool = False


@dataclass(frozen=True, slots=True)
class AudioReconstruction:
    """A clip after the autoencoder.

    Attributes:
        model: Autoencoder that was used.
        model_digest: SHA-256 of its weights, hexadecimal.
        mean_squared_error: Between the spectrograms in [0, 1].
        mean_absolute_error: Likewise.
        cosine: Cosine between them, 0 to 1.
        perceptual_similarity: NSIM, at most 1.
        window_seconds: Length of the windows that are reconstructed one after the other.
        processing_seconds: Time that it took.
        audio: WAV file; empty if not wanted.
        original_spectrogram: PNG; empty if not wanted.
        reconstructed_spectrogram: PNG; empty if not wanted.
        latents: (T, D), one row for each 16 frames of the spectrogram; `None` if not wanted.
        warnings: What the sender should know about the audio.
    """

    model: str
    model_digest: str
    mean_squared_error: float
    mean_absolute_error: float
    cosine: float
    perceptual_similarity: float
    window_seconds: float
    processing_seconds: float
    audio: bytes = b""
    original_spectrogram: bytes = b""
    reconstructed_spectrogram: bytes = b""
    latents: list[list[float]] | None = None
    warnings: tuple[ServiceWarning, ...] = ()
