"""Whether small changes of a clip move its image less than other clips do, with the same seed.

Moves are distances of EfficientNet-Lite0's features, 1 - cosine; the bound is the 5th percentile of those
between images of different clips. `worst_ratio` is the largest of all moves over the bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.corpus.perturbations import PERTURBATIONS
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.statistics.distances import between, cosine_distances


def measure(dataset: Dataset) -> Figures:
    """Return the moves of each small change, and how they compare with the distances of other clips.

    Raises:
        MeasurementError: There are fewer than two clips.
    """
    originals = dataset.image_vectors(EFFICIENTNET)[:, 0]
    if len(originals) < 2:
        raise MeasurementError("there is only one clip, so nothing can be compared")
    bound = float(np.percentile(between(cosine_distances(originals, originals)), 5))
    images_moved = moves(dataset)
    figures: Figures = {"smoothness.p5_between_clips": bound}
    for change in PERTURBATIONS:
        of_change = [item for item in dataset.perturbed if item.perturbation is change]
        moved = images_moved[[item.perturbation is change for item in dataset.perturbed]]
        audio_moves = [
            np.linalg.norm(item.audio_embedding.vector - dataset.audio_embeddings[item.position].vector)
            for item in of_change
        ]
        figures |= {
            f"smoothness.{change.name}.mean_move": float(moved.mean()),
            f"smoothness.{change.name}.p95_move": float(np.percentile(moved, 95)),
            f"smoothness.{change.name}.max_move": float(moved.max()),
            f"smoothness.{change.name}.share_below_p5": float((moved < bound).mean()),
            f"smoothness.{change.name}.embedding_mean_move": float(np.mean(audio_moves)),
        }
    figures["smoothness.worst_ratio"] = float(images_moved.max() / bound)
    figures["smoothness.share_below_p5"] = float((images_moved < bound).mean())
    return figures


def moves(dataset: Dataset) -> NDArray[np.float64]:
    """Return how far the image of each changed clip is from that of the clip: (N,)."""
    originals = dataset.image_vectors(EFFICIENTNET)[:, 0]
    changed = dataset.vectors_of([item.image for item in dataset.perturbed], model=EFFICIENTNET)
    moved: NDArray[np.float64] = np.array(
        [
            cosine_distances(originals[item.position][None], vector[None])[0, 0]
            for item, vector in zip(dataset.perturbed, changed, strict=True)
        ]
    )
    return moved
