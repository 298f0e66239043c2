"""Embeddings of captions and clips by CLAP, of captions and images by CLIP. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.embeddings.clap import ClapEmbedder, load_clap, load_whole, text_space
from chladni_contract.weight_fingerprint import fingerprint
from chladni_runtime.models.reference import ModelReference

Vectors = npt.NDArray[np.float64]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")

_LIMITS = DecodingLimits(max_bytes=2**30, max_duration_seconds=3600.0)

_BATCH_SIZE = 64
_VISION_TOWER = ("vision_model.", "visual_projection.")


class ClapTexts:
    """CLAP's text branch.

    Args:
        directory: A transformers directory of a CLAP.

    Raises:
        ModelLoadingError: It is no CLAP.
    """

    def __init__(self, directory: Path) -> None:
        self._model = load_clap(directory)
        self._tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        self.space = text_space(self._model)

    def embed(self, captions: Sequence[str]) -> Vectors:
        """Return (n, C), of norm 1."""
        # RoBERTa counts positions from two.
        limit = self._model.config.text_config.max_position_embeddings - 2
        return _embed_texts(captions, self._tokenizer, limit, self._model.get_text_features)


class ClipSpace:
    """Both towers of a CLIP.

    Args:
        directory: A transformers directory of a CLIP.

    Raises:
        ModelLoadingError: It is no CLIP.
    """

    def __init__(self, directory: Path) -> None:
        self._model = load_whole(CLIPModel, directory, model_type="clip")
        self._directory = directory
        self._tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        weights = {
            name: tensor.numpy()
            for name, tensor in self._model.state_dict().items()
            if name.startswith(_VISION_TOWER) and tensor.is_floating_point()
        }
        self.space = f"clip-{fingerprint(weights)}"

    def embed_texts(self, captions: Sequence[str]) -> Vectors:
        """Return (n, D) as CLIP projects them, not normalised."""
        limit = self._model.config.text_config.max_position_embeddings
        return _embed_texts(captions, self._tokenizer, limit, self._model.get_text_features)

    def embed_images(self, paths: Sequence[Path]) -> Vectors:
        """Return (n, D) as CLIP projects them, not normalised."""
        processor = CLIPImageProcessorPil.from_pretrained(self._directory, local_files_only=True)
        rows = []
        for start in range(0, len(paths), _BATCH_SIZE):
            images = [_read_image(path) for path in paths[start : start + _BATCH_SIZE]]
            with torch.inference_mode():
                pixels = processor(images, return_tensors="pt")["pixel_values"]
                rows.append(self._model.get_image_features(pixels).pooler_output.double().numpy())
        return np.concatenate(rows)


def embed_clips(clap: Path, paths: Sequence[Path]) -> Vectors:
    """Return (n, C), of norm 1, of the files of clips.

    Raises:
        AudioError: One of them cannot be used.
    """
    embedder = ClapEmbedder.load(ModelReference(str(clap.resolve())))
    decoder, transform = AudioDecoder(_LIMITS), MelTransform()
    analyser = DescriptorAnalyser(transform)
    clips = (
        ClipAnalysis(decoder.read(path.read_bytes()), transform=transform, analyser=analyser)
        for path in paths
    )
    return np.stack([embedder.embed(clip) for clip in clips]).astype(np.float64)


def _embed_texts(
    captions: Sequence[str], tokenizer: Any, limit: int, features_of: Callable[..., Any]
) -> Vectors:
    rows = []
    for start in range(0, len(captions), _BATCH_SIZE):
        tokens = tokenizer(
            list(captions[start : start + _BATCH_SIZE]),
            padding=True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
        )
        with torch.inference_mode():
            features = features_of(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        rows.append(features.pooler_output.double().numpy())
    return np.concatenate(rows)


def _read_image(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
