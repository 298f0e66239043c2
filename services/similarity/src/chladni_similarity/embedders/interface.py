"""What every image embedder offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from chladni_similarity.images.decoding import Pixels
from chladni_similarity.models.scoring import ScoreMap


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What callers may know of a model.

    Attributes:
        model_id: Name in requests.
        digest: SHA-256 over the model's files, hexadecimal.
        description: One sentence for people.
        license: Licence of the weights.
        space: Name of the space of its vectors; changes with the weights and with the preparation.
        dimension: Length of a vector.
        input_spaces: Spaces of the embeddings of audio that it takes beside images.
        family: Kind of model.
        properties: Further facts for people.
    """

    model_id: str
    digest: str
    description: str
    license: str
    space: str
    dimension: int
    input_spaces: tuple[str, ...] = ()
    family: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


class ImageEmbedder(Protocol):
    """Turns images into vectors. Immutable after construction, safe to use from any thread."""

    @property
    def card(self) -> ModelCard:
        """What callers may know of the model."""
        ...

    @property
    def concurrent_batch_count(self) -> int:
        """How many batches are best computed at a time, on processors enough."""
        ...

    @property
    def score_map(self) -> ScoreMap:
        """Turns cosines of two of its vectors of images into scores."""
        ...

    def prepare(self, pixels: Pixels) -> NDArray[Any]:
        """Return what the model takes for one image; a contiguous array.

        Arrays of one shape may be stacked along a new first axis and embedded together. Equal pixels give
        equal arrays.

        Args:
            pixels: (3, H, W) RGB, 8 bits.
        """
        ...

    def takes_as_is(self, pixels: Pixels) -> bool:
        """Return whether `prepare` would give back these pixels as they are. Looks at their shape alone."""
        ...

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the vectors, not normalised, of prepared images.

        Args:
            inputs: (N, ...), stacked results of `prepare`.

        Returns:
            (N, dimension), which the caller may write to.

        Raises:
            MemoryError: There is too little memory for so many at once.
        """
        ...


@runtime_checkable
class AudioEmbedder(ImageEmbedder, Protocol):
    """An image embedder that embeds audio into the same space."""

    @property
    def alignment_score_map(self) -> ScoreMap:
        """Turns cosines of a sound and an image into scores."""
        ...

    def embed_audio(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors, not normalised, of audio.

        Args:
            audio: (N, 152), embeddings in the first of its input spaces.

        Returns:
            (N, dimension), in the space of the images' vectors.
        """
        ...
