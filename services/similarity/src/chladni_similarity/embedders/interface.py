"""What every image embedder offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chladni_similarity.image_decoding import Pixels


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
        properties: Further facts for people.
    """

    model_id: str
    digest: str
    description: str
    license: str
    space: str
    dimension: int
    properties: Mapping[str, str] = field(default_factory=dict)


class ImageEmbedder(Protocol):
    """Turns pictures into vectors. Immutable after construction, safe to use from any thread."""

    @property
    def card(self) -> ModelCard:
        """What callers may know of the model."""
        ...

    @property
    def concurrent_batch_count(self) -> int:
        """How many batches are best computed at a time, on processors enough."""
        ...

    def prepare(self, pixels: Pixels) -> NDArray[Any]:
        """Returns what the model takes for one picture; a contiguous array.

        Arrays of one shape may be stacked along a new first axis and embedded together. Equal pixels give
        equal arrays.

        Args:
            pixels: (3, H, W) RGB, 8 bits.
        """
        ...

    def takes_as_is(self, pixels: Pixels) -> bool:
        """Returns whether `prepare` would give back these pixels as they are. Looks at their shape alone."""
        ...

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the vectors, not normalised, of prepared pictures.

        Args:
            inputs: (N, ...), stacked results of `prepare`.

        Returns:
            (N, dimension), which the caller may write to.

        Raises:
            MemoryError: There is too little memory for so many at once.
        """
        ...
