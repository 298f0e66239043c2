"""How alike images are, and how well they fit audio."""

from __future__ import annotations

from dataclasses import dataclass

from chladni_client.types.audio import Tensor
from chladni_client.types.images import Image


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two images are.

    Attributes:
        score: 0 to 1; exactly 1 for equal images.
        cosine: Cosine of the two embeddings, -1 to 1.
        model: Model that was used.
    """

    score: float
    cosine: float
    model: str


@dataclass(frozen=True, slots=True)
class ComparisonMatrix:
    """How alike each of several images is to each other.

    Attributes:
        image_ids: Identifiers of the images, in the order of rows and columns.
        scores: Scores of shape (images, images), each 0 to 1; symmetric, with 1 on the diagonal.
            ``numpy.asarray`` makes an array of it.
        model: Model that was used.
    """

    image_ids: tuple[str, ...]
    scores: Tensor
    model: str


@dataclass(frozen=True, slots=True)
class Match:
    """An image that was found.

    Attributes:
        image: The image.
        score: How alike it is to the given one, 0 to 1.
    """

    image: Image
    score: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """How well an image fits audio.

    Attributes:
        score: 0 to 1; at 0.5 the audio is as likely to belong to another image as to this one.
        cosine: Cosine of the two embeddings, -1 to 1.
        model: Model that was used.
    """

    score: float
    cosine: float
    model: str
