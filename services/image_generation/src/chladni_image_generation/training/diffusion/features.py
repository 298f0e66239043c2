"""What images are compared by: features of a registered extractor, and the Fréchet distance between them.

The Fréchet distance between two sets of images is that between the normal distributions with the means and
covariances of their features (Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a
local Nash equilibrium", where the features are those of Inception v3). Its value says something only beside
others by the same extractor and for sets of the same sizes, so each comes with a floor: the distance of as
many images of the training set. Only with the extractor `inception` may it be called FID.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import linalg
from torch import Tensor, nn

from chladni_image_generation.training.diffusion.classifier import train_classifier
from chladni_image_generation.training.diffusion.datasets import Images, ImageSet
from chladni_training.errors import DataError

Features = npt.NDArray[np.float64]
Extractor = Callable[[Images], Features]
"""Returns features (N, D) of images (N, C, H, W)."""

CLASSIFIER: Final = "classifier"
PIXEL_COMPONENTS: Final = "pixel-components"
INCEPTION: Final = "inception"
_COMPONENTS: Final = 64


def choose_extractor(wanted: str, images: ImageSet) -> str:
    """Return the extractor that is meant; `auto` takes Inception, else a classifier, else components.

    Raises:
        DataError: The one that is wanted cannot be had.
    """
    has_inception = all(find_spec(name) is not None for name in ("torch_fidelity", "torchvision"))
    if wanted == "auto":
        if has_inception:
            return INCEPTION
        return PIXEL_COMPONENTS if images.train_labels is None else CLASSIFIER
    if wanted == CLASSIFIER and images.train_labels is None:
        raise DataError("the extractor 'classifier' needs images with classes; take 'pixel-components'")
    if wanted == INCEPTION and not has_inception:
        raise DataError("the extractor 'inception' needs torch-fidelity, and torchvision with it")
    return wanted


def make_extractor(name: str, images: ImageSet, *, seed: int) -> Extractor:
    """Return an extractor, made from the images to learn from if it has no weights of its own.

    Args:
        name: One of `EXTRACTORS`.
        images: The images.
        seed: Of what is trained.
    """
    return EXTRACTORS[name](images, seed)


def frechet_distance(first: Features, second: Features) -> float:
    """Return the squared Fréchet distance between the normal distributions of two sets of features.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), where the trace of the root is the sum of the roots of the
    eigenvalues of S1 S2: those are real and not negative, but for rounding.

    Args:
        first: (N, D), N of at least 2.
        second: (M, D).
    """
    difference = first.mean(axis=0) - second.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    eigenvalues = linalg.eigvals(covariances[0] @ covariances[1])
    root_trace = float(np.sqrt(np.clip(eigenvalues.real, 0, None)).sum())
    traces = float(sum(np.trace(covariance) for covariance in covariances))
    return max(0.0, float(difference @ difference) + traces - 2 * root_trace)


def _by_classifier(images: ImageSet, seed: int) -> Extractor:
    """Return the last hidden layer of a classifier that learns the images' classes."""
    classifier = train_classifier(images, seed=seed)

    def extract(batch: Images) -> Features:
        return classifier.features(batch).astype(np.float64)

    return extract


def _by_pixel_components(images: ImageSet, _seed: int) -> Extractor:
    """Return the first principal components of the pixels."""
    pixels = images.train[:20_000].reshape(len(images.train[:20_000]), -1).astype(np.float64) / 255
    mean = pixels.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False))
    components = vectors[:, ::-1][:, :_COMPONENTS]

    def extract(batch: Images) -> Features:
        projected: Features = (batch.reshape(len(batch), -1) / 255 - mean) @ components
        return projected

    return extract


def _by_inception(_images: ImageSet, _seed: int) -> Extractor:
    """Return the 2048 features of torch-fidelity's Inception v3."""
    module: Any = import_module("torch_fidelity.feature_extractor_inceptionv3")
    network: nn.Module = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"]).eval()

    @torch.inference_mode()
    def extract(batch: Images) -> Features:
        parts = []
        for rows in torch.split(torch.from_numpy(batch), 32):
            colours: Tensor = rows.expand(-1, 3, -1, -1)
            parts.append(network(colours)[0].double().numpy())
        return np.concatenate(parts)

    return extract


EXTRACTORS: Final[Mapping[str, Callable[[ImageSet, int], Extractor]]] = {
    CLASSIFIER: _by_classifier,
    PIXEL_COMPONENTS: _by_pixel_components,
    INCEPTION: _by_inception,
}
"""Makers of extractors by name."""
