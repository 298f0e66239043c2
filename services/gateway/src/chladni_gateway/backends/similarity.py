"""The client of similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import FaultError, Reason
from chladni_gateway.backends.messages import (
    to_embedding_message,
    to_image_message,
    to_model_summaries,
    to_rows,
)
from chladni_gateway.domain.ports import Alignment, CollectionMatches, ImageSimilarity, SimilarityMatrix
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chladni_gateway.domain.audio import Embedding
    from chladni_gateway.domain.images import Image
    from chladni_gateway.domain.models import ModelSummary
    from chladni_runtime.execution.deadlines import Deadline

COLLECTION: Final = "gateway"
"""Collection of the images of all gateways that share a similarity service; their identifiers are unique."""

_SERVICE: Final = similarity_pb2.DESCRIPTOR.services_by_name["SimilarityService"]


class SimilarityClient(BackendClient["similarity_grpc.SimilarityServiceAsyncStub"]):
    """Compares and finds images.

    It is an `ImageComparer`, a `MatrixComparer`, an `ImageCollection` and an `AlignmentScorer`.

    Args:
        target: gRPC target of the service.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="similarity",
            service=_SERVICE,
            target=target,
            make_stub=similarity_grpc.SimilarityServiceStub,
            security=security,
        )

    async def compare(self, first: Image, second: Image, deadline: Deadline) -> ImageSimilarity:
        """Return how alike two images are.

        Raises:
            ChladniError: An image cannot be used, or the service failed.
        """
        request = similarity_pb2.CompareImagesRequest(
            first=to_image_message(first), second=to_image_message(second)
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.CompareImages(request, timeout=options.timeout, metadata=options.metadata)
        return ImageSimilarity(response.score, response.cosine, response.model)

    async def compare_matrix(
        self, rows: Sequence[Image], columns: Sequence[Image], deadline: Deadline
    ) -> SimilarityMatrix:
        """Return how alike images are to others, or to each other.

        Args:
            rows: The images of the rows, at least one.
            columns: The images of the columns, with the rows at most 64; none for those of the rows.
            deadline: When the answer must be there.

        Raises:
            ChladniError: An image cannot be used, or the service failed.
        """
        request = similarity_pb2.CompareImageMatrixRequest(
            rows=_to_batch(rows), columns=_to_batch(columns) if columns else None
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.CompareImageMatrix(
                request, timeout=options.timeout, metadata=options.metadata
            )
        scores = to_rows(response.scores, sender=self.name)
        width = len(columns or rows)
        is_expected = len(scores) == len(rows) and all(len(row) == width for row in scores)
        if not is_expected or not all(0 <= score <= 1 for row in scores for score in row):
            raise FaultError(Reason.INTERNAL, f"The service {self.name} sent scores that cannot be used.")
        return SimilarityMatrix(tuple(scores), response.model)

    async def add(self, images: Mapping[UUID, Image], deadline: Deadline) -> None:
        """Add 1 to 64 images to the collection.

        Raises:
            ChladniError: An image cannot be used, the collection is full, or the service failed or keeps no
                collections.
        """
        request = similarity_pb2.UpsertImagesRequest(
            collection=COLLECTION,
            images=[
                similarity_pb2.CollectionImage(id=str(image_id), image=to_image_message(image))
                for image_id, image in images.items()
            ],
            replace_outdated=True,
        )
        async with self.call(deadline) as (stub, options):
            await stub.UpsertImages(request, timeout=options.timeout, metadata=options.metadata)

    async def search(
        self, image: Image, candidate_ids: Sequence[UUID], limit: int, deadline: Deadline
    ) -> CollectionMatches:
        """Return the images of the collection that are most like an image.

        Args:
            image: The image.
            candidate_ids: The images to search among, 1 to 1000.
            limit: Images at most, 1 to 100; of equally alike ones the first candidates.
            deadline: When the answer must be there.

        Raises:
            ChladniError: There is no collection yet or one of other models, the image cannot be used, or the
                service failed or keeps no collections.
        """
        ids = {str(image_id): image_id for image_id in candidate_ids}
        request = similarity_pb2.SearchImagesRequest(
            collection=COLLECTION,
            image=to_image_message(image),
            page_size=limit,
            candidate_ids=ids,
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.SearchImages(request, timeout=options.timeout, metadata=options.metadata)
        return CollectionMatches(
            scores={ids[item.id]: item.score for item in response.neighbors if item.id in ids},
            absent_ids=tuple(ids[text] for text in response.absent_ids if text in ids),
        )

    async def remove(self, image_ids: Sequence[UUID], deadline: Deadline) -> None:
        """Remove 1 to 1000 images from the collection; one that it does not hold is ignored.

        Raises:
            ChladniError: The service failed, or keeps no collections.
        """
        request = similarity_pb2.DeleteImagesRequest(collection=COLLECTION, ids=map(str, image_ids))
        async with self.call(deadline) as (stub, options):
            await stub.DeleteImages(request, timeout=options.timeout, metadata=options.metadata)

    async def score_alignment(self, audio: Embedding, image: Image, deadline: Deadline) -> Alignment:
        """Return how well an image fits audio, by the service's default model for that.

        Raises:
            ChladniError: The image or the audio cannot be used, or the service failed or does not offer it.
        """
        request = similarity_pb2.ScoreAlignmentRequest(
            audio=similarity_pb2.AudioQuery(embedding=to_embedding_message(audio)),
            image=to_image_message(image),
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.ScoreAlignment(request, timeout=options.timeout, metadata=options.metadata)
        return Alignment(response.score, response.cosine, response.model)

    async def models(self, deadline: Deadline) -> tuple[ModelSummary, ...]:
        """Return the models of the service.

        Raises:
            ChladniError: The service failed, or does not offer the call.
        """
        request = similarity_pb2.ListModelsRequest()
        async with self.call(deadline) as (stub, options):
            response = await stub.ListModels(request, timeout=options.timeout, metadata=options.metadata)
        return to_model_summaries(response)


def _to_batch(images: Sequence[Image]) -> similarity_pb2.ImageBatch:
    return similarity_pb2.ImageBatch(images=map(to_image_message, images))
