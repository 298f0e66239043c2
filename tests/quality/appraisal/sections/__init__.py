"""The sections, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from measurements.figures import Figures

from appraisal.material import Material
from appraisal.sections import (
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
    Section("speed", "How long does a picture take, how large are the weights?", speed.measure),
    Section("autoencoder", "How true is the autoencoder to art that it never saw?", autoencoder.measure),
    Section("retrieval", "Is a picture known by its sound, and a sound by its picture?", retrieval.measure),
    Section("effect", "Does the sound decide the picture, more than the seed?", effect.measure),
    Section("smoothness", "Do small changes of a sound change the picture little?", smoothness.measure),
    Section("compare", "Do scores tell pictures of one sound from those of others?", compare.measure),
    Section("richness", "How rich are the pictures, beside spectrograms and art?", richness.measure),
    Section("distribution", "How like the art are the pictures, and are they copies?", distribution.measure),
    Section("sheets", "What does it look like? Draws the contact sheets.", sheets.measure),
)
