"""The sections, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chladni_benchmarks.figures import Figures
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.sections import (
    autoencoder,
    classes,
    compare,
    composition,
    distribution,
    effect,
    retrieval,
    richness,
    sheets,
    smoothness,
    speed,
    transposition,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A group of figures that can be measured alone.

    Attributes:
        name: Name on the command line.
        question: What it answers.
        measure: Returns its figures. Raises NotMeasurableError if something that it needs is absent, and
            MeasurementError if a service fails.
    """

    name: str
    question: str
    measure: Callable[[Dataset], Figures]


SECTIONS: Final = (
    Section("speed", "How long does an image take, how large are the weights?", speed.measure),
    Section(
        "autoencoder",
        "How exactly does the autoencoder reproduce unseen art?",
        autoencoder.measure,
    ),
    Section("retrieval", "Is an image found by its audio, and audio by its image?", retrieval.measure),
    Section("effect", "Does the audio determine the image, more than the seed?", effect.measure),
    Section("smoothness", "Do small changes of the audio change the image little?", smoothness.measure),
    Section("compare", "Do scores separate images of one clip from those of others?", compare.measure),
    Section("composition", "Are images of different clips composed differently?", composition.measure),
    Section("transposition", "Does an image follow its clip when it is transposed?", transposition.measure),
    Section("classes", "Do kinds of real recordings look apart?", classes.measure),
    Section("richness", "How rich are the images, beside spectrograms and art?", richness.measure),
    Section("distribution", "How similar to the art are the images, are they copies?", distribution.measure),
    Section("sheets", "What does it look like? Draws the contact sheets.", sheets.measure),
)
