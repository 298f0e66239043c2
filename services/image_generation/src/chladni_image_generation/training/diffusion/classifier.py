"""Small classifiers of the images: one as extractor of features, another, independent, as judge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from chladni_image_generation.training.diffusion.datasets import Images, ImageSet
from chladni_training.errors import DataError

FEATURES = 64
_BATCH = 128
_LEAST_STEPS = 150


class Classifier:
    """A trained classifier.

    Attributes:
        trunk: From images in [-1, 1] to features.
        head: From features to logits.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        self.trunk = trunk.eval()
        self.head = head.eval()

    @torch.inference_mode()
    def features(self, images: Images) -> npt.NDArray[np.float32]:
        """Return the features (N, 64) of uint8 images (N, C, H, W)."""
        parts = [self.trunk(_scaled(rows)) for rows in torch.split(torch.from_numpy(images), 512)]
        features: npt.NDArray[np.float32] = torch.cat(parts).numpy()
        return features

    @torch.inference_mode()
    def probabilities(self, images: Images) -> npt.NDArray[np.float32]:
        """Return the probability (N, K) of each class, of uint8 images (N, C, H, W)."""
        logits = self.head(torch.from_numpy(self.features(images)))
        probabilities: npt.NDArray[np.float32] = functional.softmax(logits, dim=1).numpy()
        return probabilities


def train_classifier(images: ImageSet, *, seed: int, wide: bool = False, epochs: int = 3) -> Classifier:
    """Train a convolutional classifier on the images to learn from.

    Args:
        images: The images, with labels.
        seed: Of its weights, and of the order and shifts of the images.
        wide: Whether its convolutions are 5 x 5 with pooling between them, not 3 x 3 with strides: a judge
            should not share the blind spots of the features by which images were compared.
        epochs: Passes over the images, at least; small sets are seen more often.

    Raises:
        DataError: The images have no labels.
    """
    if images.train_labels is None:
        raise DataError("a classifier needs images with classes")
    channels, height, width = images.train.shape[1:]
    classes = int(images.train_labels.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk = (_wide_trunk if wide else _strided_trunk)(channels, height, width)
        head = nn.Linear(FEATURES, classes)
        _fit(
            nn.Sequential(trunk, nn.Dropout(0.2), head), images, images.train_labels, seed=seed, epochs=epochs
        )
    return Classifier(trunk, head)


def _strided_trunk(channels: int, height: int, width: int) -> nn.Module:
    sides = [-(-side // 4) for side in (height, width)]
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * sides[0] * sides[1], FEATURES),
        nn.ReLU(),
    )


def _wide_trunk(channels: int, height: int, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 12, 5, padding=2),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 5, padding=2),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * (height // 4) * (width // 4), FEATURES),
        nn.GELU(),
    )


def _fit(
    network: nn.Module, images: ImageSet, labels: npt.NDArray[np.int64], *, seed: int, epochs: int
) -> None:
    rows = torch.from_numpy(np.ascontiguousarray(images.train))
    targets = torch.from_numpy(labels)
    generator = torch.Generator().manual_seed(seed)
    batch_size = min(_BATCH, len(rows))
    epochs = max(epochs, -(-_LEAST_STEPS // (len(rows) // batch_size)))
    steps = epochs * (len(rows) // batch_size)
    reach = min(rows.shape[2:]) // 14
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=max(2, steps + 1))
    for _ in range(epochs):
        order = torch.randperm(len(rows), generator=generator)
        for first in range(0, len(rows) - batch_size + 1, batch_size):
            chosen = order[first : first + batch_size]
            shift = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
            batch = torch.roll(_scaled(rows[chosen]), shift, dims=(2, 3))
            loss = functional.cross_entropy(network(batch), targets[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1
