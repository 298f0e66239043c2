"""How good drawn images are: what a judge recognises, and how far they are from real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from chladni_image_generation.training.diffusion.classifier import Classifier, train_classifier
from chladni_image_generation.training.diffusion.datasets import Images, ImageSet
from chladni_image_generation.training.diffusion.features import Extractor, frechet_distance

CONFIDENCE: Final = 0.9
_JUDGE_SEED: Final = 7_919

Draw = Callable[[int, int, bool], Images]
"""Returns so many images, drawn in so many steps, by DDIM or not."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Images to draw and judge.

    Attributes:
        count: How many.
        steps: Denoising steps.
        ddim: Whether by DDIM; else by DDPM.
    """

    count: int
    steps: int
    ddim: bool

    @property
    def name(self) -> str:
        """Its name among the figures."""
        return f"{'ddim' if self.ddim else 'ddpm'}_{self.steps}"


class DistanceToTest:
    """The Fréchet distance of images to the test set, and its floor.

    Args:
        images: The set.
        extractor: Returns the features.
    """

    def __init__(self, images: ImageSet, extractor: Extractor) -> None:
        self._images = images
        self._extractor = extractor
        self._test = extractor(images.test)

    def __call__(self, drawn: Images) -> float:
        """Return the distance of drawn images."""
        return frechet_distance(self._extractor(drawn), self._test)

    def floor(self, count: int, *, seed: int) -> float:
        """Return the distance of so many images of the training set: what perfect ones would have."""
        rows = np.random.default_rng(seed).permutation(len(self._images.train))[:count]
        return self(self._images.train[rows])


def evaluate(
    images: ImageSet, distance: DistanceToTest, draw: Draw, trials: list[Trial], *, seed: int
) -> dict[str, float]:
    """Return figures of drawn images by name, those of each trial with its name in front.

    Args:
        images: The set that was learned from.
        distance: Of images to the test set.
        draw: Draws images.
        trials: What to draw.
        seed: Chooses the images of the floor.
    """
    judge: Classifier | None = None
    figures: dict[str, float] = {}
    if images.train_labels is not None and images.test_labels is not None:
        judge = train_classifier(images, seed=seed + _JUDGE_SEED, wide=True)
        probabilities = judge.probabilities(images.test)
        figures["judge_accuracy"] = float((probabilities.argmax(axis=1) == images.test_labels).mean())
        figures["judge_recognised_of_test"] = float((probabilities.max(axis=1) >= CONFIDENCE).mean())
    for trial in trials:
        drawn = draw(trial.count, trial.steps, trial.ddim)
        own = {
            "images": float(trial.count),
            "frechet_distance": distance(drawn),
            "frechet_floor": distance.floor(trial.count, seed=seed),
        }
        if judge is not None:
            own |= _judged(judge, drawn)
        figures |= {f"{trial.name}_{name}": value for name, value in own.items()}
    return figures


def _judged(judge: Classifier, drawn: Images) -> dict[str, float]:
    probabilities = judge.probabilities(drawn)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return {
        "recognised": float((probabilities.max(axis=1) >= CONFIDENCE).mean()),
        "smallest_class_share": float(counts.min() / len(drawn)),
        "largest_class_share": float(counts.max() / len(drawn)),
    }
