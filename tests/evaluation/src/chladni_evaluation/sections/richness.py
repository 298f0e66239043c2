"""How rich the images are in colour, edges and detail, beside viridis spectrograms and the art.

`richness.coherent_gain` is how much of the fine detail of the art of its scene an image has, at its places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures
from chladni_benchmarks.services.image_requests import pixels_of
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.image_files import reduced
from chladni_evaluation.statistics.richness import SIDE_PIXELS, coherent_gain, richness_of


def measure(dataset: Dataset) -> Figures:
    """Return means and 5th percentiles over images, spectrograms and art."""
    figures = _richness_figures(dataset, "images", dataset.first_images)
    figures |= _richness_figures(dataset, "spectrograms", dataset.spectrograms)
    try:
        art = dataset.held_out_art
    except NotMeasurableError:
        figures["unavailable.richness.art"] = 1
    else:
        figures |= _richness_figures(dataset, "art", art)
        gains = [
            coherent_gain(pixels_of(dataset.first_images[position]), pixels_of(art_of_clip))
            for position, art_of_clip in dataset.art_of_clips.items()
            if not dataset.clips[position].is_silent
        ]
        figures["richness.coherent_gain"] = float(np.mean(gains))
    return figures


def _richness_figures(dataset: Dataset, name: str, images: Sequence[bytes]) -> Figures:
    of_images = dataset.progress.each(
        f"measuring {name}",
        images,
        lambda image: asdict(richness_of(reduced(image, SIDE_PIXELS))),
        at_once=2,
    )
    figures: Figures = {}
    for quantity in of_images[0]:
        values = [of_image[quantity] for of_image in of_images]
        figures[f"richness.{name}.{quantity}"] = float(np.mean(values))
        figures[f"richness.{name}.{quantity}_p5"] = float(np.percentile(values, 5))
    return figures
