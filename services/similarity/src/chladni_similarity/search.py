"""The search for images of a collection that are like an image, or that fit a sound.

Every image is kept with its vector of the default model, which finds it by images, and with that of the
model that takes audio, if there is one, which finds it by audio.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chladni_contract.errors import NotOfferedError, UnavailableError
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.alignment import Aligner
from chladni_similarity.audio import Audio
from chladni_similarity.collections.interface import (
    CollectionInfo,
    CollectionStore,
    FoundImage,
    ListedImage,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.metrics import CollectionMetrics
from chladni_similarity.embedders.interface import AudioEmbedder, ImageEmbedder
from chladni_similarity.embedding.cache import Vector
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.images.sources import ImageSource
from chladni_similarity.models.scoring import ScoreMap

MAX_REACHABLE_MATCHES: Final = 1000

_COSINE_TOLERANCE: Final = 1e-6
"""How far from 1 the cosine of equal images may be: a store multiplies with 32 bits, and an image's vector
depends a little on the batch that it was computed in."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchModels:
    """The models whose vectors collections hold.

    Attributes:
        by_image: The one that finds images by images.
        by_audio: The one that finds images by audio; `None` if no model takes audio.
    """

    by_image: ImageEmbedder
    by_audio: AudioEmbedder | None = None

    @property
    def spaces(self) -> tuple[VectorSpace, ...]:
        """Spaces of their vectors."""
        return tuple(VectorSpace.of_model(kind, model.card) for kind, model in self.by_kind.items())

    @property
    def by_kind(self) -> dict[VectorKind, ImageEmbedder]:
        """The models, by what they find images by."""
        models: dict[VectorKind, ImageEmbedder] = {VectorKind.IMAGE: self.by_image}
        if self.by_audio is not None:
            models[VectorKind.AUDIO] = self.by_audio
        return models


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """An image to add.

    Attributes:
        image_id: Identifier, unique in the collection.
        source: The image.
        metadata: A text to return with it; `None` for none.
    """

    image_id: str
    source: ImageSource
    metadata: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchScope:
    """What a search looks at, and how much it returns.

    Attributes:
        collection: Name of the collection.
        max_matches: Number of matches at most, at least 1.
        candidate_ids: Identifiers of the images to search among, each once; none for all of the collection.
        min_score: Lowest score of a match.
        skipped: Number of the best matches to leave out, less than `MAX_REACHABLE_MATCHES`.
    """

    collection: str
    max_matches: int
    candidate_ids: Sequence[str] = ()
    min_score: float = 0.0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """An image that was found.

    Attributes:
        image_id: Identifier.
        score: How alike it is, or how well it fits, 0 to 1: the score of a comparison of the two.
        metadata: The text that was stored with it; `None` for none.
    """

    image_id: str
    score: float
    metadata: str | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    Attributes:
        matches: The images, nearest first; of equal scores in the order of the candidates.
        absent_ids: Candidates that the collection does not hold, in their order.
        has_more: Whether more matches follow these.
    """

    matches: Sequence[Match]
    absent_ids: Sequence[str] = ()
    has_more: bool = False


class ImageSearch:
    """Fills collections and searches them. Lives on one event loop.

    Every call raises what `EmbeddingEngine.embed` and the calls of `CollectionStore` raise.

    Args:
        store: Keeps the collections.
        engine: Embeds images.
        models: The models whose vectors the store keeps.
        aligner: Embeds audio.
        metrics: Observes sizes and times.
    """

    def __init__(
        self,
        *,
        store: CollectionStore,
        engine: EmbeddingEngine,
        models: SearchModels,
        aligner: Aligner,
        metrics: CollectionMetrics,
    ) -> None:
        self._store = store
        self._engine = engine
        self._models = models
        self._aligner = aligner
        self._metrics = metrics

    async def add(
        self,
        collection: str,
        images: Sequence[NewImage],
        token: CancellationToken,
        *,
        replace_outdated: bool = False,
    ) -> int:
        """Add images of different identifiers; one that cannot be used keeps all of them out.

        Args:
            collection: Name of the collection.
            images: The images.
            token: Cancelled when the result is no longer needed.
            replace_outdated: Whether a collection of other models is emptied first.

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
        size = await self._store.add(collection, stored, token, replace_outdated=replace_outdated)
        self._metrics.note_added(collection, added=len(images), size=size)
        return size

    async def search_by_image(
        self, scope: SearchScope, image: ImageSource, token: CancellationToken
    ) -> SearchResult:
        """Return the images most like an image."""
        embeddings = await self._engine.embed(self._models.by_image, [image], token)
        return await self.search_by_vector(scope, embeddings.vectors[0], token)

    async def search_by_vector(
        self, scope: SearchScope, vector: Vector, token: CancellationToken
    ) -> SearchResult:
        """Return the images most like the one of a vector.

        Args:
            scope: What to search.
            vector: (dimension,) of length 1, of the model that finds images by images.
            token: Cancelled when the result is no longer needed.
        """
        found = await self._search(scope, VectorKind.IMAGE, vector, token)
        return _to_result(scope, found, self._models.by_image.score_map)

    async def search_by_id(self, scope: SearchScope, image_id: str, token: CancellationToken) -> SearchResult:
        """Return the images most like one of the collection, without that one."""
        vector = await self._store.vector_of(scope.collection, VectorKind.IMAGE, image_id, token)
        found = await self._search(scope, VectorKind.IMAGE, vector, token, excluded_id=image_id)
        return _to_result(scope, found, self._models.by_image.score_map, excluded_id=image_id)

    async def search_by_audio(
        self, scope: SearchScope, audio: Audio, token: CancellationToken
    ) -> SearchResult:
        """Return the images that fit a sound best.

        Raises:
            NotOfferedError: No model of this server takes audio.
        """
        model = self._models.by_audio
        if model is None:
            raise NotOfferedError(
                "This server has no model that takes both audio and images, so it finds images by "
                "images alone: send image, id or embedding."
            )
        vector = await self._aligner.embed_audio(model, audio, token)
        found = await self._search(scope, VectorKind.AUDIO, vector, token)
        return _to_result(scope, found, model.alignment_score_map)

    async def delete(self, collection: str, image_ids: Sequence[str], token: CancellationToken) -> int:
        """Delete images of different identifiers, and return how many there were."""
        deleted = await self._store.delete(collection, image_ids, token)
        self._metrics.note_deleted(collection, deleted)
        return deleted

    async def list_images(
        self, collection: str, count: int, token: CancellationToken, *, first_id: str | None
    ) -> Sequence[ListedImage]:
        """Return images of a collection; see `CollectionStore.list_images`."""
        return await self._store.list_images(collection, count, token, first_id=first_id)

    async def list_collections(
        self, count: int, token: CancellationToken, *, first_name: str
    ) -> Sequence[CollectionInfo]:
        """Return collections by name; see `CollectionStore.list_collections`."""
        return await self._store.list_collections(count, token, first_name=first_name)

    async def describe_collection(self, collection: str, token: CancellationToken) -> CollectionInfo:
        """Return what a collection is."""
        return await self._store.describe(collection, token)

    async def delete_collection(self, collection: str, token: CancellationToken) -> int:
        """Delete a collection, and return how many images it had."""
        deleted = await self._store.drop(collection, token)
        self._metrics.note_dropped(collection, deleted)
        return deleted

    async def note_sizes(self) -> None:
        """Report the sizes of the collections that exist already to the metrics."""
        try:
            self._metrics.note_sizes(await self._store.sizes(CancellationToken()))
        except UnavailableError as error:  # a server may come up later
            _log.warning("the sizes of the collections are not known: %s", error.message)

    async def _search(
        self,
        scope: SearchScope,
        kind: VectorKind,
        vector: Vector,
        token: CancellationToken,
        *,
        excluded_id: str | None = None,
    ) -> Sequence[FoundImage]:
        """Return the images of a scope, and one more if more follow; all candidates if there are any.

        Only with all candidates it is known which are absent, and which come first of equal scores.
        """
        started_at = time.perf_counter()
        one_more = min(scope.max_matches + 1, MAX_REACHABLE_MATCHES - scope.skipped)
        found = await self._store.search(
            scope.collection,
            kind,
            vector,
            len(scope.candidate_ids) or one_more,
            token,
            candidate_ids=scope.candidate_ids,
            excluded_id=excluded_id,
            skipped=0 if scope.candidate_ids else scope.skipped,
        )
        self._metrics.search_seconds[kind].observe(time.perf_counter() - started_at)
        return found


def _to_result(
    scope: SearchScope,
    found: Sequence[FoundImage],
    score_map: ScoreMap,
    *,
    excluded_id: str | None = None,
) -> SearchResult:
    """Return the matches of a scope among what was found; the excluded image is present, but no match."""
    matches = [
        Match(image.image_id, score_map.score_of(_settled(image.cosine)), image.metadata) for image in found
    ]
    absent_ids: Sequence[str] = ()
    if scope.candidate_ids:
        positions = {image_id: position for position, image_id in enumerate(scope.candidate_ids)}
        matches.sort(key=lambda match: (-match.score, positions[match.image_id]))
        present = {excluded_id, *(match.image_id for match in matches)}
        absent_ids = [image_id for image_id in scope.candidate_ids if image_id not in present]
        matches = matches[scope.skipped :]
    matches = [match for match in matches if match.score >= scope.min_score]
    return SearchResult(matches[: scope.max_matches], absent_ids, has_more=len(matches) > scope.max_matches)


def _settled(cosine: float) -> float:
    """Return a cosine without its rounding error: in range, and exactly 1 for equal images."""
    return 1.0 if cosine >= 1 - _COSINE_TOLERANCE else max(-1.0, cosine)
