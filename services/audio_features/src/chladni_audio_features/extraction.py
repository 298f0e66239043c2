"""The features of whole recordings, from file to numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio import SourceFormat
from chladni_audio_features.colormap import Colormap
from chladni_audio_features.decoding import AudioDecoder
from chladni_audio_features.descriptors import DescriptorAnalyser, Descriptors
from chladni_audio_features.embedding import DescriptorEmbedder
from chladni_audio_features.rendering import render_spectrogram
from chladni_audio_features.spectrogram import MelTransform, log_mel_spectrogram


@dataclass(frozen=True)
class SourceProperties:
    """What was found in a file, and the SHA-256 of its bytes in hexadecimal."""

    source: SourceFormat
    sha256: str


@dataclass(frozen=True, eq=False)
class Features:
    """What was asked for; None for the rest.

    Attributes:
        properties: what was found in the file.
        log_mel: (mel_bins, frames) float32 in [0, 1].
        descriptors: the descriptors.
        embedding: (152,) float32 in [0, 1].
    """

    properties: SourceProperties
    log_mel: npt.NDArray[np.float32] | None
    descriptors: Descriptors | None
    embedding: npt.NDArray[np.float32] | None


class FeatureExtractor:
    """Decodes recordings and computes their features.

    Immutable, hence safe to share between threads; the same bytes give the same floats.
    """

    def __init__(
        self,
        *,
        decoder: AudioDecoder,
        transform: MelTransform,
        analyser: DescriptorAnalyser,
        embedder: DescriptorEmbedder,
    ) -> None:
        """Create an extractor from its parts, which must agree on the sample rate."""
        self._decoder = decoder
        self._analyser = analyser
        self.transform = transform
        self.embedder = embedder

    @property
    def analyser(self) -> DescriptorAnalyser:
        """What computes the descriptors, and defines them."""
        return self._analyser

    def extract(
        self,
        content: bytes,
        *,
        wants_log_mel: bool,
        wants_descriptors: bool,
        wants_embedding: bool,
    ) -> Features:
        """Compute features of a recording.

        Args:
            content: the file.
            wants_log_mel: whether to compute the spectrogram.
            wants_descriptors: whether to return the descriptors.
            wants_embedding: whether to compute the embedding.

        Raises:
            AudioError: the recording cannot be used.
        """
        clip = self._decoder.decode(content)
        log_mel = (
            log_mel_spectrogram(self.transform.power_of_clip(clip.samples)).scaled if wants_log_mel else None
        )
        descriptors = self._analyser.describe(clip.samples) if wants_descriptors or wants_embedding else None
        return Features(
            properties=_properties(content, clip.source),
            log_mel=log_mel,
            descriptors=descriptors if wants_descriptors else None,
            embedding=self.embedder.embed(descriptors) if descriptors and wants_embedding else None,
        )

    def render(
        self, content: bytes, *, width_pixels: int, height_pixels: int, colormap: Colormap
    ) -> tuple[SourceProperties, bytes]:
        """Draw the spectrogram of a recording; return what was found in it and the PNG.

        Raises:
            AudioError: the recording cannot be used.
        """
        clip = self._decoder.decode(content)
        spectrogram = log_mel_spectrogram(self.transform.power_of_clip(clip.samples))
        picture = render_spectrogram(
            spectrogram.scaled,
            width_pixels=width_pixels,
            height_pixels=height_pixels,
            colormap=colormap,
        )
        return _properties(content, clip.source), picture


def _properties(content: bytes, source: SourceFormat) -> SourceProperties:
    return SourceProperties(source=source, sha256=hashlib.sha256(content).hexdigest())
