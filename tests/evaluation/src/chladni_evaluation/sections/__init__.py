"""The sections, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chladni_benchmarks.figures import Figures
from chladni_evaluation.dataset import Material
from chladni_evaluation.sections import (
    autoencoder,
    compare,
    distribution,
    effect,
    retrieval,
    richness,
    sheets,
    smoothness,
    speed,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A group of figures that can be measured alone.

    Attributes:
        name: Name on the command line.
        question: What it answers.
        measure: Returns its figures. Raises NotMeasurableError where something that it needs is not there,
            and MeasurementError where something answers wrongly.
    """

    name: str
    question: str
    measure: Callable[[Material], Figures]


SECTIONS: Final = (
    Section("speed", "How long does an image take, how large are the weights?", speed.measure),
    Section("autoencoder", "How true is the autoencoder to art that it never saw?", autoencoder.measure),
    Section("retrieval", "Is an image known by its sound, and a sound by its image?", retrieval.measure),
    Section("effect", "Does the sound decide the image, more than the seed?", effect.measure),
    Section("smoothness", "Do small changes of a sound change the image little?", smoothness.measure),
    Section("compare", "Do scores tell images of one sound from those of others?", compare.measure),
    Section("richness", "How rich are the images, beside spectrograms and art?", richness.measure),
    Section("distribution", "How like the art are the images, and are they copies?", distribution.measure),
    Section("sheets", "What does it look like? Draws the contact sheets.", sheets.measure),
)
