"""How alike images are: two, or several with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.embedders.interface import ImageEmbedder
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.images.sources import ImageSource
from chladni_similarity.models.scoring import cosine_matrix, cosine_of


@dataclass(frozen=True, slots=True)
class ImageSimilarity:
    """How alike two images are.

    Attributes:
        score: 0 to 1; exactly 1 for equal images.
        cosine: Cosine of their vectors, -1 to 1.
    """

    score: float
    cosine: float


class ImageComparer:
    """Compares images. Lives on one event loop.

    Every call raises what `EmbeddingEngine.embed` raises.

    Args:
        engine: Embeds images.
    """

    def __init__(self, engine: EmbeddingEngine) -> None:
        self._engine = engine

    async def compare(
        self, embedder: ImageEmbedder, first: ImageSource, second: ImageSource, token: CancellationToken
    ) -> ImageSimilarity:
        """Return how alike two images are."""
        embeddings = await self._engine.embed(embedder, [first, second], token)
        cosine = cosine_of(*embeddings.vectors)
        return ImageSimilarity(embedder.score_map.score_of(cosine), cosine)

    async def compare_all(
        self,
        embedder: ImageEmbedder,
        rows: Sequence[ImageSource],
        columns: Sequence[ImageSource],
        token: CancellationToken,
    ) -> NDArray[np.float32]:
        """Return the scores of several images with each other, or with further images.

        Args:
            embedder: The model.
            rows: The images of the rows, at least one.
            columns: The images of the columns; none for those of the rows.
            token: Cancelled when the result is no longer needed.

        Returns:
            (R, C), each score 0 to 1 as `compare` returns it.
        """
        vectors = (await self._engine.embed(embedder, [*rows, *columns], token)).vectors
        cosines = cosine_matrix(vectors[: len(rows)], vectors[len(rows) :] if columns else vectors)
        scores = [[embedder.score_map.score_of(cosine) for cosine in row] for row in cosines.tolist()]
        return np.array(scores, np.float32)
