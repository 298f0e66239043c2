"""How similar to the art the images are as a whole, and whether one is a copy of a training image.

Both by features of EfficientNet-Lite0. `mmd` is the unbiased squared maximum mean discrepancy to held-out
art; `mmd_same_sounds` to the art of the same clips, which may differ from the clips of the training;
`mmd_art` between two halves of held-out art, which shows the effect of chance; `mmd_spectrograms` between
spectrograms and held-out art, which shows what a large distance is.

An image counts as a copy if its distance to a training image is less than half of the smallest distance
between held-out art, which cannot hold copies, and training images.
"""

from __future__ import annotations

from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.statistics.discrepancy import nearest_distances, squared_mean_discrepancy

_COPY_SHARE = 0.5


def measure(dataset: Dataset) -> Figures:
    """Return discrepancies and nearest distances.

    Raises:
        NotMeasurableError: The art cannot be rendered here.
        MeasurementError: There are too few images.
    """
    held_out = dataset.vectors_of(dataset.held_out_art, model=EFFICIENTNET)
    trained = dataset.vectors_of(dataset.training_art, model=EFFICIENTNET)
    of_clips = dataset.vectors_of(list(dataset.art_of_clips.values()), model=EFFICIENTNET)
    spectrograms = dataset.vectors_of(dataset.spectrograms, model=EFFICIENTNET)
    images = dataset.image_vectors(EFFICIENTNET)[:, 0]
    if len(images) < 2:
        raise MeasurementError("one image has no distribution")
    to_training = nearest_distances(images, trained)
    of_held_out = nearest_distances(held_out, trained)
    return {
        "distribution.mmd": squared_mean_discrepancy(images, held_out),
        "distribution.mmd_same_sounds": squared_mean_discrepancy(images, of_clips),
        "distribution.mmd_art": squared_mean_discrepancy(held_out[::2], held_out[1::2]),
        "distribution.mmd_spectrograms": squared_mean_discrepancy(spectrograms, held_out),
        "distribution.nearest_training": float(to_training.min()),
        "distribution.nearest_training_median": median(to_training.tolist()),
        "distribution.held_out_nearest_training": float(of_held_out.min()),
        "distribution.held_out_nearest_training_median": median(of_held_out.tolist()),
        "distribution.copies": float((to_training < _COPY_SHARE * of_held_out.min()).sum()),
    }
