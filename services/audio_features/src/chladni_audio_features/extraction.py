"""The features of whole clips, from file to numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis, MelRequest
from chladni_audio_features.analysis.descriptors import DescriptorAnalyser, Descriptors
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.clip import (
    ANALYSIS_SAMPLE_RATE_HZ,
    AudioClip,
    ClipPart,
    SourceFormat,
)
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.limits import DecodingLimits, too_long
from chladni_audio_features.audio.pcm import PcmClip, read_pcm_clip
from chladni_audio_features.embeddings.descriptors import DescriptorEmbedder
from chladni_audio_features.embeddings.registry import EmbeddingModel, EmbeddingModels
from chladni_audio_features.latents.catalog import CalibrationCatalog, LatentsPlan
from chladni_audio_features.music.analysis import MusicAnalysis, analyse_music
from chladni_audio_features.reconstruction.autoencoder import Autoencoder, Reconstruction
from chladni_audio_features.rendering import PNG, Colormap, ImageEncoding, render_spectrogram
from chladni_contract.warnings import ServiceWarning
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.telemetry.scope import stage

ClipContent: TypeAlias = bytes | PcmClip
"""What a caller sent: the bytes of an audio file, or samples without one."""

MAX_RECONSTRUCTED_SECONDS: Final = 50.0
"""Longest clip through an autoencoder: its audio and both spectrograms are one message, and clients take
4 MiB if they are not set to take more."""


@dataclass(frozen=True)
class SourceProperties:
    """What was found in a file or in samples.

    Attributes:
        source: how the audio was stored.
        sha256: SHA-256 of the bytes in hexadecimal, of all of them if a part was chosen.
        warnings: what the sender should know about the audio.
    """

    source: SourceFormat
    sha256: str
    warnings: tuple[ServiceWarning, ...] = ()


@dataclass(frozen=True, eq=False)
class Features:
    """What was asked for; None for the rest.

    Attributes:
        properties: what was found in the file.
        log_mel: (mel_bins, frames) float32 in [0, 1].
        descriptors: the descriptors.
        embedding: (D,) float32; the default model's is (152,) in [0, 1].
        initial_latents: (C, H, W) float32.
        further_embeddings: (D,) float32 each, of the further models in their order.
    """

    properties: SourceProperties
    log_mel: npt.NDArray[np.float32] | None
    descriptors: Descriptors | None
    embedding: npt.NDArray[np.float32] | None
    initial_latents: npt.NDArray[np.float32] | None = None
    further_embeddings: tuple[npt.NDArray[np.float32], ...] = ()


class FeatureExtractor:
    """Decodes clips and computes their features.

    Immutable, hence safe to share between threads; the same bytes give the same floats.
    """

    def __init__(
        self,
        *,
        decoder: AudioDecoder,
        transform: MelTransform,
        analyser: DescriptorAnalyser,
        embedder: DescriptorEmbedder,
        embedding_models: EmbeddingModels,
        calibrations: CalibrationCatalog,
    ) -> None:
        """Create an extractor from its parts, which must agree on the sample rate.

        Args:
            decoder: decodes clips.
            transform: computes mel spectrograms.
            analyser: computes descriptors.
            embedder: embeds descriptors, of live sound too.
            embedding_models: embed clips.
            calibrations: scale initial latents.
        """
        self._decoder = decoder
        self._analyser = analyser
        self.transform = transform
        self.embedder = embedder
        self.embedding_models = embedding_models
        self.calibrations = calibrations

    @property
    def analyser(self) -> DescriptorAnalyser:
        """What computes the descriptors, and defines them."""
        return self._analyser

    def extract(
        self,
        content: ClipContent,
        *,
        part: ClipPart | None = None,
        token: CancellationToken | None = None,
        wants_log_mel: bool,
        wants_descriptors: bool,
        wants_embedding: bool,
        embedding_model: EmbeddingModel | None = None,
        further_models: Sequence[EmbeddingModel] = (),
        latents_plan: LatentsPlan | None = None,
        mel: MelRequest | None = None,
        max_mel_cells: int | None = None,
    ) -> Features:
        """Compute features of a clip; it is decoded once, however many they are.

        Args:
            content: the file, or the samples.
            part: which part of it; `None` means all.
            token: whether the features are still wanted.
            wants_log_mel: whether to return the spectrogram.
            wants_descriptors: whether to return the descriptors.
            wants_embedding: whether to compute the embedding.
            embedding_model: which embedding; `None` means the default model's.
            further_models: models that embed the clip too.
            latents_plan: how to make initial latents; `None` means not at all.
            mel: which spectrogram to return; `None` means the one that everything else is made from.
            max_mel_cells: cells that the returned spectrogram may have; `None` means any number.

        Raises:
            AudioError: the clip cannot be used.
            InvalidInputError: the spectrogram would be too large.
            ChladniError: the embedding model failed.
        """
        clip, properties = self._read(content, part, token)
        model = embedding_model or self.embedding_models.default
        wanted_mel = mel or MelRequest(self.transform.settings)
        with stage("analyse"):
            log_mel = wanted_mel.make(clip, max_cells=max_mel_cells) if wants_log_mel else None
            descriptors = clip.descriptors if wants_descriptors else None
            initial_latents = None if latents_plan is None else latents_plan.make(clip.scaled_log_mel)
        return Features(
            properties=properties,
            log_mel=log_mel,
            descriptors=descriptors,
            embedding=_embed(clip, model) if wants_embedding else None,
            initial_latents=initial_latents,
            further_embeddings=tuple(_embed(clip, further) for further in further_models),
        )

    def render(
        self,
        content: ClipContent,
        *,
        part: ClipPart | None = None,
        token: CancellationToken | None = None,
        width_pixels: int,
        height_pixels: int,
        colormap: Colormap,
        encoding: ImageEncoding = PNG,
        mel: MelRequest | None = None,
    ) -> tuple[SourceProperties, bytes]:
        """Draw the spectrogram of a clip; return what was found in it and the image's file.

        Raises:
            AudioError: the clip cannot be used.
            InvalidInputError: the spectrogram would be too large.
        """
        clip, properties = self._read(content, part, token)
        wanted_mel = mel or MelRequest(self.transform.settings)
        with stage("render"):
            image = render_spectrogram(
                wanted_mel.make(clip),
                width_pixels=width_pixels,
                height_pixels=height_pixels,
                colormap=colormap,
                encoding=encoding,
            )
        return properties, image

    def analyse_music(
        self,
        content: ClipContent,
        part: ClipPart | None = None,
        *,
        token: CancellationToken | None = None,
    ) -> tuple[SourceProperties, MusicAnalysis]:
        """Analyse the music of a clip, or of a part of it; return what was found in the file too.

        Raises:
            AudioError: the clip cannot be used.
        """
        clip, properties = self._read(content, part, token)
        with stage("analyse_music"):
            return properties, analyse_music(clip.samples_at(ANALYSIS_SAMPLE_RATE_HZ))

    def reconstruct(
        self,
        content: ClipContent,
        part: ClipPart | None = None,
        *,
        model: Autoencoder,
        wants_samples: bool,
        token: CancellationToken | None = None,
    ) -> tuple[SourceProperties, Reconstruction, npt.NDArray[np.float32] | None]:
        """Pass a clip, or a part of it, through an autoencoder.

        Args:
            content: the file, or the samples.
            part: which part of it; `None` means all.
            model: the autoencoder.
            wants_samples: whether to make audio of the reconstruction.
            token: whether it is still wanted.

        Returns:
            What was found in the file, the reconstruction, and its samples at 16 kHz if wanted. They are
            within full scale if the clip is not.

        Raises:
            AudioError: the clip cannot be used, or is longer than what an answer holds.
            ChladniError: it is no longer wanted.
        """
        clip, properties = self._read(content, part, token)
        seconds = properties.source.duration_seconds
        if seconds > MAX_RECONSTRUCTED_SECONDS:
            limits = DecodingLimits(max_duration_seconds=MAX_RECONSTRUCTED_SECONDS)
            raise too_long(f"{seconds:.2f} s long", limits=limits, duration_seconds=round(seconds, 3))
        samples = clip.samples_at(model.mel_settings.sample_rate_hz)
        with stage("reconstruct", attributes={"gen_ai.request.model": model.model_id}):
            made = model.reconstruct(samples)
            if not wants_samples:
                return properties, made, None
            # A file of floats may be louder than full scale, which a WAV file of integers cannot be.
            peak = max(1.0, float(np.abs(samples).max(initial=0.0)))
            return properties, made, model.samples_of(made, len(samples), token=token) / np.float32(peak)

    def read(
        self, content: ClipContent, part: ClipPart | None = None, *, token: CancellationToken | None = None
    ) -> AudioClip:
        """Decode a clip, or a part of it, at the sample rate it has.

        Raises:
            AudioError: the clip cannot be used.
        """
        with stage("decode"):
            if isinstance(content, PcmClip):
                return read_pcm_clip(content, self._decoder.limits, part)
            return self._decoder.read(content, part, token=token)

    def cut(self, file: Path, part: ClipPart, *, token: CancellationToken | None = None) -> AudioClip:
        """Decode a part of a file on disk, at the sample rate it has.

        Raises:
            AudioError: the file, or the part, cannot be used.
        """
        return self._decoder.read(file, part, token=token)

    def _read(
        self, content: ClipContent, part: ClipPart | None, token: CancellationToken | None
    ) -> tuple[ClipAnalysis, SourceProperties]:
        clip = self.read(content, part, token=token)
        data = content.samples if isinstance(content, PcmClip) else content
        properties = SourceProperties(clip.source, hashlib.sha256(data).hexdigest(), clip.warnings)
        return ClipAnalysis(clip, transform=self.transform, analyser=self._analyser), properties


def _embed(clip: ClipAnalysis, model: EmbeddingModel) -> npt.NDArray[np.float32]:
    attributes = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": model.card.model_id}
    with stage("embed", attributes=attributes):
        return model.embed(clip)
