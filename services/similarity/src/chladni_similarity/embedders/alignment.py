"""The embedded model that takes audio as well as images: `chladni-alignment`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import nn

from chladni_contract.descriptor_space import DESCRIPTOR_SPACE
from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.embedders.alignment_network import (
    MODEL_TYPE,
    WEIGHT_PREFIXES,
    AlignmentConfig,
    AlignmentModel,
)
from chladni_similarity.embedders.inference import CPU, Placement, memory_errors, traced
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.embedders.whole_image import WholeImage
from chladni_similarity.images.decoding import Pixels
from chladni_similarity.models.calibration import ModelCalibrations, read_calibrations
from chladni_similarity.models.files import Manifest, read_directory_manifest, read_model_file, sha256_of
from chladni_similarity.models.references import ALIGNMENT_MODEL_ID
from chladni_similarity.models.scoring import CosineScore, ScoreMap

CONFIG_NAME: Final = "config.json"
WEIGHTS_NAME: Final = "model.safetensors"
_WHITE: Final = 255.0


class AlignmentEmbedder:
    """Embeds images, and audio into the same space.

    The whole image is resized to the model's square input with a bicubic, antialiased filter.

    Args:
        manifest: Describes the model.
        digest: SHA-256 over its configuration and weights, hexadecimal.
        model: The model, ready for inference.
        calibrations: What its cosines mean.
        placement: Where it runs.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        digest: str,
        model: AlignmentModel,
        calibrations: ModelCalibrations,
        placement: Placement = CPU,
    ) -> None:
        side = manifest.input_side_pixels
        self._whole_image = WholeImage(side)
        self._placement = placement
        model.to(placement.dtype)
        images = _Images(model.image_tower, placement.dtype)
        self._image_tower = traced(images, (3, side, side), placement)
        self._audio_tower = model.audio_tower.to(placement.device)
        self._score_map = calibrations.images or CosineScore()
        self._alignment_score_map = calibrations.alignment or CosineScore()
        self._card = ModelCard(
            model_id=manifest.model_id,
            digest=digest,
            description=manifest.description,
            license=manifest.license,
            space=manifest.space,
            dimension=manifest.dimension,
            input_spaces=(DESCRIPTOR_SPACE,),
            family=ALIGNMENT_MODEL_ID,
            properties={
                "input": f"{side} x {side} pixels, whole image",
                "score": self._score_map.description,
                "alignment_score": self._alignment_score_map.description,
                **placement.properties,
            },
        )

    @classmethod
    def load(cls, directory: Path, placement: Placement = CPU) -> AlignmentEmbedder:
        """Return the embedder with the files that a directory's manifest names.

        Args:
            directory: Where they are; its name is what the model is called.
            placement: Where it runs.

        Raises:
            ModelAbsentError: There is no manifest.
            ModelLoadingError: A file is not there or not the one of the manifest, or holds another model.
        """
        manifest = read_directory_manifest(directory)
        config = read_model_file(directory, manifest, CONFIG_NAME)
        weights = read_model_file(directory, manifest, WEIGHTS_NAME)
        return cls(
            replace(manifest, model_id=directory.name),
            digest=sha256_of(config + weights),
            model=_build_model(config, weights),
            calibrations=read_calibrations(directory, manifest),
            placement=placement,
        )

    @property
    def card(self) -> ModelCard:
        """What callers may know of the model."""
        return self._card

    @property
    def concurrent_batch_count(self) -> int:
        """One: an image takes so little time that a second batch would only fight for the cache."""
        return 1

    @property
    def score_map(self) -> ScoreMap:
        """Turns cosines of two of its vectors of images into scores."""
        return self._score_map

    @property
    def alignment_score_map(self) -> ScoreMap:
        """Turns cosines of a sound and an image into scores."""
        return self._alignment_score_map

    def prepare(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return the image resized to (3, side, side), 8 bits; without copying if it is so already."""
        return self._whole_image.resized(pixels)

    def takes_as_is(self, pixels: Pixels) -> bool:
        """Return whether an image has the model's size."""
        return self._whole_image.is_ready(pixels)

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the (N, dimension) vectors, not normalised, of (N, 3, side, side) pixels."""
        with torch.inference_mode(), memory_errors():
            return self._image_tower(torch.from_numpy(inputs)).numpy()

    def embed_audio(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (N, dimension) vectors, not normalised, of (N, 152) embeddings of audio."""
        with torch.inference_mode(), memory_errors():
            inputs = torch.tensor(audio, device=self._placement.device, dtype=self._placement.dtype)
            features: NDArray[np.float32] = self._audio_tower(inputs).float().cpu().numpy()
            return features


class _Images(nn.Module):
    """From 8-bit pixels (N, 3, side, side) to vectors (N, dimension)."""

    def __init__(self, tower: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self._tower = tower
        self._dtype = dtype

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the vectors of images."""
        values = pixels.to(torch.float32, memory_format=torch.channels_last)
        vectors: torch.Tensor = self._tower(values.div_(_WHITE).to(self._dtype))
        return vectors.float()


def _build_model(config: bytes, weights: bytes) -> AlignmentModel:
    """Return the model of a configuration and of weights, every one of them given.

    It is built from the bytes whose digests were checked; `AlignmentModel.from_pretrained` would read the
    files again.
    """
    try:
        content = json.loads(config)
        if content.get("model_type") != MODEL_TYPE:
            raise ModelLoadingError(f"{CONFIG_NAME} describes no model of the type {MODEL_TYPE}.")
        model: AlignmentModel = AlignmentModel(AlignmentConfig.from_dict(content)).float()
        model.load_state_dict(
            {_weight_name(name): value for name, value in load_safetensors(weights).items()}
        )
    except (ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelLoadingError(f"The weights do not fit the network of {ALIGNMENT_MODEL_ID}.") from error
    model.to(memory_format=torch.channels_last)
    model.eval().requires_grad_(requires_grad=False)
    return model


def _weight_name(name: str) -> str:
    """Return the name of a weight in the network by its name in a file."""
    prefix, _, rest = name.partition(".")
    return f"{WEIGHT_PREFIXES[prefix]}.{rest}" if prefix in WEIGHT_PREFIXES else name
