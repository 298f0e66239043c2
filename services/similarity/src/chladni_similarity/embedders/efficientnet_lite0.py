"""The embedded image embedder: features of EfficientNet-Lite0, trained on ImageNet."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.embedders.efficientnet import EfficientNetLite0
from chladni_similarity.embedders.inference import CPU, Placement, memory_errors, traced
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.embedders.whole_image import WholeImage
from chladni_similarity.images.decoding import Pixels
from chladni_similarity.models.calibration import read_calibrations
from chladni_similarity.models.files import (
    Manifest,
    read_directory_manifest,
    read_weights,
    shipped_model_directory,
)
from chladni_similarity.models.references import EFFICIENTNET_MODEL_ID
from chladni_similarity.models.scoring import CosineScore, ScoreMap

_MEAN: Final = 127.0  # The Lite variants' own normalisation, not ImageNet's statistics.
_SCALE: Final = 128.0
_IMAGES_AT_A_TIME: Final = 4
"""The activations of more do not fit a processor's cache: an image takes 10.9 CPU-ms alone, 6.5 among 4,
10.1 among 8 and 14.8 among 32."""
_CLASSIFIER_KEYS: Final = ("_fc.weight", "_fc.bias")


class EfficientNetLite0Embedder:
    """Embeds images as the globally pooled features before the classifier.

    The whole image is resized to the model's square input with a bicubic, antialiased filter. ImageNet's
    evaluation crops the central 87 % instead, but then images that differ only near their edges would
    count as equal; on photographs both separate like from unlike equally well.

    Args:
        manifest: Describes the model.
        digest: SHA-256 of its weights, hexadecimal.
        network: The network with its weights, ready for inference.
        score_map: Turns cosines into scores.
        placement: Where it runs.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        digest: str,
        network: EfficientNetLite0,
        score_map: ScoreMap,
        placement: Placement = CPU,
    ) -> None:
        side = manifest.input_side_pixels
        self._whole_image = WholeImage(side)
        self._network = traced(_Features(network, placement.dtype), (3, side, side), placement)
        self._has_cache = not placement.is_gpu
        self._card = ModelCard(
            model_id=manifest.model_id,
            digest=digest,
            description=manifest.description,
            license=manifest.license,
            space=manifest.space,
            dimension=manifest.dimension,
            family=EFFICIENTNET_MODEL_ID,
            properties={
                "input": f"{side} x {side} pixels, whole image",
                "score": score_map.description,
                **placement.properties,
            },
        )
        self._score_map = score_map

    @classmethod
    def load(cls, placement: Placement = CPU) -> EfficientNetLite0Embedder:
        """Return the embedder with the weights that its manifest names.

        Raises:
            ModelLoadingError: The weights are not there or not those.
        """
        directory = shipped_model_directory(EFFICIENTNET_MODEL_ID)
        manifest = read_directory_manifest(directory)
        if manifest.weights is None:
            raise ModelLoadingError(f"The manifest of {manifest.model_id} does not name its weights.")
        content = BytesIO(read_weights(manifest.weights))
        try:
            state = torch.load(content, map_location="cpu", weights_only=True)
            network = EfficientNetLite0()
            network.load_state_dict({key: state[key] for key in state if key not in _CLASSIFIER_KEYS})
        except (RuntimeError, pickle.UnpicklingError) as error:
            raise ModelLoadingError("The weights do not fit the network EfficientNet-Lite0.") from error
        return cls(
            manifest,
            digest=manifest.weights.sha256,
            network=network.prepared_for_inference(),
            score_map=read_calibrations(directory, manifest).images or CosineScore(),
            placement=placement,
        )

    @property
    def card(self) -> ModelCard:
        """What callers may know of the model."""
        return self._card

    @property
    def concurrent_batch_count(self) -> int:
        """One: the activations of two would fight for the cache, and an image take half as long again."""
        return 1

    @property
    def score_map(self) -> ScoreMap:
        """Turns cosines of two of its vectors into scores."""
        return self._score_map

    def prepare(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return the image resized to (3, side, side), 8 bits; without copying if it is so already."""
        return self._whole_image.resized(pixels)

    def takes_as_is(self, pixels: Pixels) -> bool:
        """Return whether an image has the model's size."""
        return self._whole_image.is_ready(pixels)

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return (N, 1280) features, each in [0, 6], of (N, 3, side, side) pixels."""
        with torch.inference_mode(), memory_errors():
            slices = torch.split(
                torch.from_numpy(inputs), _IMAGES_AT_A_TIME if self._has_cache else len(inputs)
            )
            return torch.cat([self._network(pixels) for pixels in slices]).numpy()


class _Features(nn.Module):
    """From 8-bit pixels (N, 3, side, side) to features (N, 1280)."""

    def __init__(self, network: EfficientNetLite0, dtype: torch.dtype) -> None:
        super().__init__()
        self._network = network.to(dtype)
        self._dtype = dtype

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features of images."""
        images = pixels.to(torch.float32, memory_format=torch.channels_last)
        features: torch.Tensor = self._network(images.sub_(_MEAN).div_(_SCALE).to(self._dtype))
        return features.float()
