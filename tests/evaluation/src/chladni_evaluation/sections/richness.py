"""How rich the images are in colour, edges and detail, beside viridis spectrograms and the art."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures
from chladni_evaluation.dataset import Material
from chladni_evaluation.image_files import reduced
from chladni_evaluation.statistics.richness import SIDE_PIXELS, looks_of


def measure(material: Material) -> Figures:
    """Returns means over images, spectrograms and art, and the poorest twentieth of the images."""
    figures = _looks(material, "images", material.first_images)
    figures |= _looks(material, "spectrograms", material.spectrograms)
    try:
        art = material.held_out_art
    except NotMeasurableError:
        figures["unavailable.richness.art"] = 1
    else:
        figures |= _looks(material, "art", art)
    return figures


def _looks(material: Material, name: str, images: Sequence[bytes]) -> Figures:
    looks = material.display.each(
        f"looking at {name}",
        images,
        lambda image: asdict(looks_of(reduced(image, SIDE_PIXELS))),
        at_once=2,
    )
    figures: Figures = {}
    for quantity in looks[0]:
        values = [look[quantity] for look in looks]
        figures[f"richness.{name}.{quantity}"] = float(np.mean(values))
        figures[f"richness.{name}.{quantity}_p5"] = float(np.percentile(values, 5))
    return figures
