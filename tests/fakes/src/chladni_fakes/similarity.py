"""A similarity service whose answers are decided by plain attributes."""

from __future__ import annotations

import hashlib
import math
import struct
from operator import mul
from typing import TYPE_CHECKING, Any, Final

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import NotFoundError, NotOfferedError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from chladni_contract.errors import ChladniError


_DEFAULT_PAGE_SIZE: Final = 10


class ScriptedSimilarity(similarity_grpc.SimilarityServiceServicer):
    """Finds equal images equal, and others as alike as it was told.

    Attributes:
        error: Raised by every call, if set.
        score: Score of images that differ.
        alignment_error: Raised by every question about alignment, if set.
        fit: Tells how well an image, by its content, fits a sound, by the embedding's data.
        embedded: Content of every image that came for a matrix or a collection so far.
        collections: Content of the images of each collection, by identifier.
        keeps_collections: Whether it has collections.
        add_error: Raised by every addition to a collection, if set.
        search_error: Raised by every search of a collection, if set.
        delete_error: Raised by every deletion from a collection, if set.
        aligned: Every question about alignment so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything that was set or remembered."""
        self.error: ChladniError | None = None
        self.score = 0.5
        self.alignment_error: ChladniError | None = None
        self.fit: Callable[[bytes, bytes], float] = _arbitrary_fit
        self.embedded: list[bytes] = []
        self.collections: dict[str, dict[str, bytes]] = {}
        self.keeps_collections = True
        self.add_error: ChladniError | None = None
        self.search_error: ChladniError | None = None
        self.delete_error: ChladniError | None = None
        self.aligned: list[similarity_pb2.ScoreAlignmentRequest] = []

    async def CompareImageMatrix(
        self, request: similarity_pb2.CompareImageMatrixRequest, _context: Any
    ) -> similarity_pb2.CompareImageMatrixResponse:
        """Score images by the directions of their digests."""
        if self.error is not None:
            raise self.error
        rows = [image.content for image in request.rows.images]
        columns = [image.content for image in request.columns.images]
        self.embedded += rows + columns
        scores = [score_of(row, column) for row in rows for column in columns or rows]
        return similarity_pb2.CompareImageMatrixResponse(
            scores=tensor_pb2.Tensor(
                dtype=tensor_pb2.DATA_TYPE_FLOAT32,
                shape=[len(rows), len(columns or rows)],
                data=struct.pack(f"<{len(scores)}f", *scores),
            ),
            model="scripted-eye",
        )

    async def UpsertImages(
        self, request: similarity_pb2.UpsertImagesRequest, _context: Any
    ) -> similarity_pb2.UpsertImagesResponse:
        self._check_collections(self.add_error)
        collection = self.collections.setdefault(request.collection, {})
        self.embedded += [item.image.content for item in request.images]
        collection.update({item.id: item.image.content for item in request.images})
        return similarity_pb2.UpsertImagesResponse(image_count=len(collection))

    async def SearchImages(
        self, request: similarity_pb2.SearchImagesRequest, _context: Any
    ) -> similarity_pb2.SearchImagesResponse:
        """Find images by the directions of their digests."""
        self._check_collections(self.search_error)
        if request.collection not in self.collections:
            raise NotFoundError(Reason.UNKNOWN_COLLECTION, "There is no such collection.")
        collection = self.collections[request.collection]
        if request.HasField("id") and request.id not in collection:
            raise NotFoundError(Reason.UNKNOWN_IMAGE, "There is no such image.")
        query = collection[request.id] if request.HasField("id") else request.image.content
        candidate_ids = request.candidate_ids or list(collection)
        found = [
            similarity_pb2.Neighbor(id=image_id, score=score_of(query, collection[image_id]))
            for image_id in candidate_ids
            if image_id in collection and not (request.HasField("id") and image_id == request.id)
        ]
        found = [neighbor for neighbor in found if neighbor.score >= request.min_score]
        found.sort(key=lambda neighbor: neighbor.score, reverse=True)
        start = int(request.page_token or 0)
        end = start + (request.page_size or _DEFAULT_PAGE_SIZE)
        return similarity_pb2.SearchImagesResponse(
            neighbors=found[start:end],
            absent_ids=[image_id for image_id in request.candidate_ids if image_id not in collection],
            next_page_token=str(end) if end < len(found) else "",
        )

    async def ListImages(
        self, request: similarity_pb2.ListImagesRequest, _context: Any
    ) -> similarity_pb2.ListImagesResponse:
        """List all images in one page."""
        self._check_collections(self.search_error)
        if request.collection not in self.collections:
            raise NotFoundError(Reason.UNKNOWN_COLLECTION, "There is no such collection.")
        images = [
            similarity_pb2.StoredImage(id=name) for name in sorted(self.collections[request.collection])
        ]
        return similarity_pb2.ListImagesResponse(images=images)

    async def ListCollections(
        self, request: similarity_pb2.ListCollectionsRequest, _context: Any
    ) -> similarity_pb2.ListCollectionsResponse:
        """List all collections in one page."""
        del request
        self._check_collections(self.search_error)
        return similarity_pb2.ListCollectionsResponse(
            collections=map(self._describe, sorted(self.collections))
        )

    async def GetCollection(
        self, request: similarity_pb2.GetCollectionRequest, _context: Any
    ) -> similarity_pb2.GetCollectionResponse:
        self._check_collections(self.search_error)
        if request.collection not in self.collections:
            raise NotFoundError(Reason.UNKNOWN_COLLECTION, "There is no such collection.")
        return similarity_pb2.GetCollectionResponse(collection=self._describe(request.collection))

    async def DeleteCollection(
        self, request: similarity_pb2.DeleteCollectionRequest, _context: Any
    ) -> similarity_pb2.DeleteCollectionResponse:
        self._check_collections(self.delete_error)
        if request.collection not in self.collections:
            raise NotFoundError(Reason.UNKNOWN_COLLECTION, "There is no such collection.")
        deleted = self.collections.pop(request.collection)
        return similarity_pb2.DeleteCollectionResponse(deleted_count=len(deleted))

    def _describe(self, name: str) -> similarity_pb2.Collection:
        return similarity_pb2.Collection(
            name=name, image_count=len(self.collections[name]), models=["scripted-eye"]
        )

    async def DeleteImages(
        self, request: similarity_pb2.DeleteImagesRequest, _context: Any
    ) -> similarity_pb2.DeleteImagesResponse:
        self._check_collections(self.delete_error)
        collection = self.collections.get(request.collection, {})
        deleted = [image_id for image_id in request.ids if collection.pop(image_id, None) is not None]
        return similarity_pb2.DeleteImagesResponse(deleted_count=len(deleted))

    def _check_collections(self, error: ChladniError | None) -> None:
        if self.error is not None:
            raise self.error
        if not self.keeps_collections:
            raise NotOfferedError("This server keeps no collections.")
        if error is not None:
            raise error

    async def CompareImages(
        self, request: similarity_pb2.CompareImagesRequest, _context: Any
    ) -> similarity_pb2.CompareImagesResponse:
        if self.error is not None:
            raise self.error
        score = 1.0 if request.first.content == request.second.content else self.score
        return similarity_pb2.CompareImagesResponse(score=score, cosine=2 * score - 1, model="scripted-eye")

    async def ScoreAlignment(
        self, request: similarity_pb2.ScoreAlignmentRequest, _context: Any
    ) -> similarity_pb2.ScoreAlignmentResponse:
        self.aligned.append(request)
        error = self.error or self.alignment_error
        if error is not None:
            raise error
        score = self.fit(request.image.content, request.audio.embedding.values.data)
        return similarity_pb2.ScoreAlignmentResponse(
            score=score, cosine=2 * score - 1, model="scripted-eye-and-ear"
        )


def score_of(first: bytes, second: bytes) -> float:
    """Return the cosine of the directions of two images' digests, negative ones as 0; 1 for equal images."""
    if first == second:
        return 1.0
    a, b = ([byte - 127.5 for byte in hashlib.sha256(content).digest()] for content in (first, second))
    cosine: float = sum(map(mul, a, b)) / math.hypot(*a) / math.hypot(*b)
    return max(0.0, cosine)


def _arbitrary_fit(image: bytes, audio: bytes) -> float:
    """Return a score that always is the same for the same two, and else tells nothing."""
    return hashlib.sha256(image + audio).digest()[0] / 255
