"""How like the art the images are as a whole, and whether any is a copy of an image that was trained on.

Both by features of EfficientNet-Lite0. `mmd` is the unbiased squared maximum mean discrepancy to held-out
art; `mmd_same_sounds` to the art of the very same sounds, whatever distinguishes these from the training's;
`mmd_art` between two halves of held-out art, which shows what chance makes; `mmd_spectrograms` between
spectrograms and held-out art, which shows what a far distance is.

An image counts as a copy where it is nearer to one of the training than half of the smallest distance from
held-out art, which cannot hold copies, to those.
"""

from __future__ import annotations

from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.dataset import Material
from chladni_evaluation.statistics.discrepancy import nearest_distances, squared_mean_discrepancy

_COPY_SHARE = 0.5


def measure(material: Material) -> Figures:
    """Returns discrepancies and nearest distances.

    Raises:
        NotMeasurableError: The art cannot be rendered here.
        MeasurementError: There are too few images.
    """
    held_out = material.vectors_of(material.held_out_art, model=EFFICIENTNET)
    trained = material.vectors_of(material.training_art, model=EFFICIENTNET)
    of_sounds = material.vectors_of(list(material.art_of_clips.values()), model=EFFICIENTNET)
    spectrograms = material.vectors_of(material.spectrograms, model=EFFICIENTNET)
    images = material.image_vectors(EFFICIENTNET)[:, 0]
    if len(images) < 2:
        raise MeasurementError("one image has no distribution")
    to_training = nearest_distances(images, trained)
    of_held_out = nearest_distances(held_out, trained)
    return {
        "distribution.mmd": squared_mean_discrepancy(images, held_out),
        "distribution.mmd_same_sounds": squared_mean_discrepancy(images, of_sounds),
        "distribution.mmd_art": squared_mean_discrepancy(held_out[::2], held_out[1::2]),
        "distribution.mmd_spectrograms": squared_mean_discrepancy(spectrograms, held_out),
        "distribution.nearest_training": float(to_training.min()),
        "distribution.nearest_training_median": median(to_training.tolist()),
        "distribution.held_out_nearest_training": float(of_held_out.min()),
        "distribution.held_out_nearest_training_median": median(of_held_out.tolist()),
        "distribution.copies": float((to_training < _COPY_SHARE * of_held_out.min()).sum()),
    }
