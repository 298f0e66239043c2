"""Images that are like an image, or that fit a sound, out of a collection.

Every image is kept with the vector of the default model, which finds it by images, and with that of the
model that hears sounds, where there is one, which finds it by sounds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chladni_contract.errors import NotOfferedError, UnavailableError
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.collections.interface import (
    CollectionStore,
    FoundImage,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.metrics import CollectionMetrics
from chladni_similarity.embedders.interface import ImageEmbedder, SoundEmbedder
from chladni_similarity.embedding.cache import Vector
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.images.sources import ImageSource
from chladni_similarity.models.scoring import ScoreMap
from chladni_similarity.sounds import Sound

_COSINE_TOLERANCE: Final = 1e-6
"""How far from 1 the cosine of equal images may be: a store multiplies with 32 bits, and an image's vector
depends a little on the batch that it was computed in."""

_log = logging.getLogger(__name__)


class SoundSearch(Protocol):
    """Puts sounds into the space of images; `chladni_similarity.alignment.Aligner` does."""

    async def embed_sound(self, embedder: SoundEmbedder, sound: Sound, token: CancellationToken) -> Vector:
        """Returns the vector of a sound, (dimension,) of length 1, in the space of the embedder's images.

        Raises:
            ChladniError: The sound cannot be used, or nobody can analyse it now.
        """
        ...


@dataclass(frozen=True, slots=True)
class SearchModels:
    """The models whose vectors collections hold.

    Attributes:
        by_image: The one that finds images by images.
        by_sound: The one that finds images by sounds, `None` where no model hears.
    """

    by_image: ImageEmbedder
    by_sound: SoundEmbedder | None = None

    @property
    def spaces(self) -> tuple[VectorSpace, ...]:
        """The spaces of their vectors."""
        return tuple(VectorSpace.of_model(kind, model.card) for kind, model in self.by_kind.items())

    @property
    def by_kind(self) -> dict[VectorKind, ImageEmbedder]:
        """The models by what they find images by."""
        models: dict[VectorKind, ImageEmbedder] = {VectorKind.IMAGE: self.by_image}
        if self.by_sound is not None:
            models[VectorKind.SOUND] = self.by_sound
        return models


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """An image to add.

    Attributes:
        image_id: Identifier, unique in the collection.
        source: The image.
        metadata: A text to return with it, `None` for none.
    """

    image_id: str
    source: ImageSource
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An image that was found.

    Attributes:
        image_id: Identifier.
        score: How alike it is, or how well it fits, 0 to 1: what a comparison of the two would say.
        metadata: The text that was stored with it, `None` where none was.
    """

    image_id: str
    score: float
    metadata: str | None


class NeighbourEngine:
    """Fills collections and searches them. Lives on one event loop.

    Every call raises what `EmbeddingEngine.embed` and the calls of `CollectionStore` raise.

    Args:
        store: Keeps the collections.
        engine: Embeds images.
        models: The models whose vectors the store keeps.
        sound_search: Embeds sounds.
        metrics: Told of sizes and times.
    """

    def __init__(
        self,
        *,
        store: CollectionStore,
        engine: EmbeddingEngine,
        models: SearchModels,
        sound_search: SoundSearch,
        metrics: CollectionMetrics,
    ) -> None:
        self._store = store
        self._engine = engine
        self._models = models
        self._sound_search = sound_search
        self._metrics = metrics

    async def add(self, collection: str, images: Sequence[NewImage], token: CancellationToken) -> int:
        """Adds images of different identifiers; one that is no usable image keeps all of them out.

        Returns:
            The number of images in the collection now.
        """
        sources = [image.source for image in images]
        vectors = {
            kind: (await self._engine.embed(model, sources, token)).vectors
            for kind, model in self._models.by_kind.items()
        }
        stored = [
            StoredImage(image.image_id, {kind: rows[index] for kind, rows in vectors.items()}, image.metadata)
            for index, image in enumerate(images)
        ]
        size = await self._store.add(collection, stored, token)
        self._metrics.note_added(collection, added=len(images), size=size)
        return size

    async def search_by_image(
        self, collection: str, image: ImageSource, count: int, token: CancellationToken
    ) -> Sequence[Neighbour]:
        """Returns the images most like an image, at most `count`, nearest first."""
        model = self._models.by_image
        embeddings = await self._engine.embed(model, [image], token)
        found = await self._search(collection, VectorKind.IMAGE, embeddings.vectors[0], count, token)
        return _scored(found, model.score_map)

    async def search_by_sound(
        self, collection: str, sound: Sound, count: int, token: CancellationToken
    ) -> Sequence[Neighbour]:
        """Returns the images that fit a sound best, at most `count`, nearest first.

        Raises:
            NotOfferedError: No model of this server hears sounds.
        """
        model = self._models.by_sound
        if model is None:
            raise NotOfferedError(
                "This server has no model that hears sounds and sees images, so it finds images by "
                "images alone: send query.image."
            )
        vector = await self._sound_search.embed_sound(model, sound, token)
        found = await self._search(collection, VectorKind.SOUND, vector, count, token)
        return _scored(found, model.alignment_score_map)

    async def delete(self, collection: str, image_ids: Sequence[str], token: CancellationToken) -> int:
        """Deletes images of different identifiers, and returns how many there were."""
        deleted = await self._store.delete(collection, image_ids, token)
        self._metrics.note_deleted(collection, deleted)
        return deleted

    async def note_sizes(self) -> None:
        """Has the metrics know the sizes of the collections that are there already."""
        try:
            self._metrics.note_sizes(await self._store.sizes(CancellationToken()))
        except UnavailableError as error:  # a server may come up later
            _log.warning("the sizes of the collections are not known: %s", error.message)

    async def _search(
        self, collection: str, kind: VectorKind, vector: Vector, count: int, token: CancellationToken
    ) -> Sequence[FoundImage]:
        started_at = time.perf_counter()
        found = await self._store.search(collection, kind, vector, count, token)
        self._metrics.search_seconds[kind].observe(time.perf_counter() - started_at)
        return found


def _scored(found: Sequence[FoundImage], score_map: ScoreMap) -> list[Neighbour]:
    return [
        Neighbour(image.image_id, score_map.score_of(_settled(image.cosine)), image.metadata)
        for image in found
    ]


def _settled(cosine: float) -> float:
    """Returns a cosine without what rounding did to it: in range, and exactly 1 for equal images."""
    return 1.0 if cosine >= 1 - _COSINE_TOLERANCE else max(-1.0, cosine)
