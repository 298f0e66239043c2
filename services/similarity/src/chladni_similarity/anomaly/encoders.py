"""Frozen encoders by name: from windows to the embeddings that backends measure distances of."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni_similarity.anomaly.windows import DYNAMIC_RANGE_DB, SIDE_PIXELS

if TYPE_CHECKING:
    from chladni_similarity.embedders.interface import ImageEmbedder

MEL_STATISTICS: Final = "mel-statistics"
EFFICIENTNET: Final = "efficientnet-lite0"
AUTOENCODER: Final = "autoencoder"

_POOLED_ROWS: Final = 112
_PATCH_COUNT: Final = 2


class Encoder(Protocol):
    """Turns images of windows into embeddings. Safe to use from any thread."""

    @property
    def name(self) -> str:
        """Name by which it is chosen."""
        ...

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, D) embeddings of (N, 224, 224) images in [0, 1]."""
        ...


class MelStatistics:
    """Mean and spread over time of each band, relative to the mean level: no weights, no training.

    Machines that run steadily are known by their mean spectrum and by how much each band varies.
    """

    name = MEL_STATISTICS

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, 224) embeddings, in dB."""
        bands = images.reshape(len(images), _POOLED_ROWS, -1, SIDE_PIXELS).mean(axis=2, dtype=np.float64)
        means = bands.mean(axis=2) * DYNAMIC_RANGE_DB
        centred = means - means.mean(axis=1, keepdims=True)
        spreads = bands.std(axis=2) * DYNAMIC_RANGE_DB
        return np.concatenate([centred, spreads], axis=1)


class MelPatches:
    """An embedder of images on patches of the spectrogram, averaged.

    Args:
        embedder: The embedder.
    """

    def __init__(self, embedder: ImageEmbedder) -> None:
        self._embedder = embedder

    @property
    def name(self) -> str:
        """Name of the embedder."""
        return self._embedder.card.model_id

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, dimension) embeddings."""
        return np.stack([self._embed(image) for image in images])

    def _embed(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        gray = (image * 255.0).round().astype(np.uint8)
        patches = [self._prepared(patch) for patch in np.split(gray, _PATCH_COUNT, axis=1)]
        vectors = self._embedder.embed(np.stack(patches))
        return np.asarray(vectors.mean(axis=0, dtype=np.float64))

    def _prepared(self, patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        resized = np.asarray(
            Image.fromarray(np.ascontiguousarray(patch)).resize(
                (SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BICUBIC
            )
        )
        prepared: NDArray[np.uint8] = self._embedder.prepare(np.repeat(resized[None], 3, axis=0))
        return prepared


class EncoderLoader:
    """Returns encoders by name, each loaded once. Safe to use from any thread.

    Args:
        embedders: Embedders of images that are loaded already, by name.
    """

    def __init__(self, embedders: Mapping[str, ImageEmbedder] | None = None) -> None:
        self._lock = threading.Lock()
        self._encoders: dict[str, Encoder] = {MEL_STATISTICS: MelStatistics()}
        self._encoders |= {name: MelPatches(embedder) for name, embedder in (embedders or {}).items()}

    def __call__(self, name: str, weights: Mapping[str, NDArray[np.float32]]) -> Encoder:
        """Return the encoder of a name, with weights of its own if it has any.

        Raises:
            ValueError: There is none of this name, or the weights are not its own.
            ModelLoadingError: Its weights are not installed.
        """
        # torch takes a second, which a server of sets without networks need not spend.
        if name == AUTOENCODER:
            from chladni_similarity.anomaly.autoencoder import AutoencoderEncoder  # noqa: PLC0415

            return AutoencoderEncoder.of_weights(weights)
        with self._lock:
            if name == EFFICIENTNET and name not in self._encoders:
                from chladni_similarity.embedders.efficientnet_lite0 import (  # noqa: PLC0415
                    EfficientNetLite0Embedder,
                )

                self._encoders[name] = MelPatches(EfficientNetLite0Embedder.load())
            if name not in self._encoders:
                raise ValueError(f"there is no encoder {name!r}")
            return self._encoders[name]
