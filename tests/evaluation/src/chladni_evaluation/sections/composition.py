"""Whether images of different clips are composed differently, and how many looks there are.

`composition.correlation` is the mean, over all pairs of audible clips, of the correlation of the layouts of
their images with the first seed, the luminance of 16 x 16 areas. `doubles.share` is the share of clips whose
image with that seed has a double, an image of another clip that could be one of the same clip: its cosine is
at least that at which images of one clip and of different clips, among all images that were made, are
mistaken for each other equally often.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.image_files import reduced
from chladni_evaluation.statistics.distances import between, cosine_distances
from chladni_evaluation.statistics.verification import equal_error

_AREAS: Final = 16
_LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722])


def measure(dataset: Dataset) -> Figures:
    """Return the number of looks, the likeness of compositions, and the share of doubles.

    Raises:
        MeasurementError: There are fewer than two clips or seeds.
    """
    if min(dataset.size.clips, dataset.size.seeds) < 2:
        raise MeasurementError("two clips and two seeds are needed, to compare what belongs together")
    audible = [position for position, clip in enumerate(dataset.clips) if not clip.is_silent]
    layouts = np.stack(
        [(reduced(dataset.first_images[position], _AREAS) @ _LUMINANCE).ravel() for position in audible]
    )
    centred = layouts - layouts.mean(axis=1, keepdims=True)
    correlations = 1.0 - between(cosine_distances(centred + 1e-9, centred + 1e-9))

    vectors = dataset.image_vectors(EFFICIENTNET)
    clips, seeds, _ = vectors.shape
    flat = vectors.reshape(clips * seeds, -1)
    cosines = 1.0 - cosine_distances(flat, flat)
    owners = np.arange(clips * seeds) // seeds
    same = (owners[:, None] == owners) & ~np.eye(clips * seeds, dtype=bool)
    threshold = equal_error(cosines[same], cosines[owners[:, None] != owners]).threshold
    of_first = 1.0 - cosine_distances(vectors[:, 0], vectors[:, 0])
    np.fill_diagonal(of_first, -1.0)
    return {
        "looks.count": dataset.image_generation.look_count(),
        "composition.correlation": float(correlations.mean()),
        "doubles.share": float((of_first.max(axis=1) >= threshold).mean()),
    }
