"""How rich the pictures are in colour, edges and detail, beside viridis spectrograms and the art."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from measurements.conditions import NotMeasurableError
from measurements.figures import Figures

from appraisal.material import Material
from appraisal.picture_files import reduced
from appraisal.statistics.looks import SIDE_PIXELS, looks_of


def measure(material: Material) -> Figures:
    """Returns means over pictures, spectrograms and art, and the poorest twentieth of the pictures."""
    figures = _looks(material, "pictures", material.first_pictures)
    figures |= _looks(material, "spectrograms", material.spectrograms)
    try:
        art = material.held_out_art
    except NotMeasurableError:
        figures["unavailable.richness.art"] = 1
    else:
        figures |= _looks(material, "art", art)
    return figures


def _looks(material: Material, name: str, pictures: Sequence[bytes]) -> Figures:
    looks = material.display.each(
        f"looking at {name}",
        pictures,
        lambda picture: asdict(looks_of(reduced(picture, SIDE_PIXELS))),
        at_once=2,
    )
    figures: Figures = {}
    for quantity in looks[0]:
        values = [look[quantity] for look in looks]
        figures[f"richness.{name}.{quantity}"] = float(np.mean(values))
        figures[f"richness.{name}.{quantity}_p5"] = float(np.percentile(values, 5))
    return figures
