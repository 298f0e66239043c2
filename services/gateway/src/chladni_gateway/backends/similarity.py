"""The client of similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import FaultError, Reason
from chladni_contract.score_curve import ScoreCurve
from chladni_gateway.backends.messages import to_embedding_message, to_image_message, to_model_summaries
from chladni_gateway.backends.tensors import to_rows
from chladni_gateway.domain.ports import Alignment, ImageSimilarity, ImageVectors
from chladni_runtime.client.backend_client import BackendClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.domain.audio import Embedding
    from chladni_gateway.domain.images import Image
    from chladni_gateway.domain.models import ModelSummary
    from chladni_runtime.execution.deadlines import Deadline

_SERVICE: Final = similarity_pb2.DESCRIPTOR.services_by_name["SimilarityService"]


class SimilarityClient(BackendClient["similarity_grpc.SimilarityServiceAsyncStub"]):
    """Compares and embeds images; an `ImageComparer`, an `ImageEmbedder` and an `AlignmentScorer`.

    Args:
        target: gRPC target of the service.
    """

    def __init__(self, target: str) -> None:
        super().__init__(
            name="similarity",
            service=_SERVICE,
            target=target,
            make_stub=similarity_grpc.SimilarityServiceStub,
        )

    async def compare(self, first: Image, second: Image, deadline: Deadline) -> ImageSimilarity:
        """Returns how alike two images are.

        Raises:
            ChladniError: An image cannot be used, or the service failed.
        """
        request = similarity_pb2.CompareImagesRequest(
            first=to_image_message(first), second=to_image_message(second)
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.CompareImages(request, timeout=options.timeout, metadata=options.metadata)
        return ImageSimilarity(response.score, response.cosine, response.model)

    async def embed(self, images: Sequence[Image], deadline: Deadline) -> ImageVectors:
        """Returns the vectors of 1 to 64 images, in their order.

        Raises:
            ChladniError: An image cannot be used, or the service failed.
        """
        request = similarity_pb2.EmbedImagesRequest(
            encoded=similarity_pb2.ImageBatch(images=map(to_image_message, images))
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.EmbedImages(request, timeout=options.timeout, metadata=options.metadata)
        vectors = to_rows(response.embeddings.values, sender=self.name)
        if len(vectors) != len(images) or not all(map(any, vectors)):
            raise FaultError(Reason.INTERNAL, f"The service {self.name} sent vectors that cannot be used.")
        return ImageVectors(tuple(vectors), response.model, self._score_curve(response))

    def _score_curve(self, response: similarity_pb2.EmbedImagesResponse) -> ScoreCurve | None:
        if not response.HasField("score_curve"):
            return None
        try:
            return ScoreCurve(response.score_curve.midpoint, response.score_curve.slope)
        except ValueError as error:
            raise FaultError(
                Reason.INTERNAL, f"The service {self.name} sent a score curve that cannot be used."
            ) from error

    async def score_alignment(self, sound: Embedding, image: Image, deadline: Deadline) -> Alignment:
        """Returns how well an image fits a sound, by the service's default model for that.

        Raises:
            ChladniError: The image or the sound cannot be used, or the service failed or does not offer it.
        """
        request = similarity_pb2.ScoreAlignmentRequest(
            sound=similarity_pb2.SoundQuery(embedding=to_embedding_message(sound)),
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
        request = similarity_pb2.GetModelsRequest()
        async with self.call(deadline) as (stub, options):
            response = await stub.GetModels(request, timeout=options.timeout, metadata=options.metadata)
        return to_model_summaries(response)
