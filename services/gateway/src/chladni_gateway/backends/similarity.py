"""The client of similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import FaultError, Reason
from chladni_contract.score_curve import ScoreCurve
from chladni_gateway.backends.messages import to_embedding_message, to_image_message
from chladni_gateway.backends.tensors import to_rows
from chladni_gateway.domain.ports import Alignment, Likeness, PictureVectors
from chladni_runtime.client.backend_client import BackendClient, CallOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.domain.audio import Embedding
    from chladni_gateway.domain.images import Picture
    from chladni_runtime.execution.deadlines import Deadline

_SERVICE: Final = similarity_pb2.DESCRIPTOR.services_by_name["SimilarityService"]


class SimilarityClient(BackendClient["similarity_grpc.SimilarityServiceAsyncStub"]):
    """Compares and embeds pictures; a `PictureComparer`, a `PictureEmbedder` and an `AlignmentScorer`.

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

    async def compare(self, first: Picture, second: Picture, deadline: Deadline) -> Likeness:
        """Returns how alike two pictures are.

        Raises:
            ChladniError: A picture cannot be used, or the service failed.
        """
        request = similarity_pb2.CompareImagesRequest(
            first=to_image_message(first), second=to_image_message(second)
        )
        async with self._call(deadline) as (stub, options):
            response = await stub.CompareImages(request, timeout=options.timeout, metadata=options.metadata)
        return Likeness(response.score, response.cosine, response.model)

    async def embed(self, pictures: Sequence[Picture], deadline: Deadline) -> PictureVectors:
        """Returns the vectors of 1 to 64 pictures, in their order.

        Raises:
            ChladniError: A picture cannot be used, or the service failed.
        """
        request = similarity_pb2.EmbedImagesRequest(
            encoded=similarity_pb2.ImageBatch(images=map(to_image_message, pictures))
        )
        async with self._call(deadline) as (stub, options):
            response = await stub.EmbedImages(request, timeout=options.timeout, metadata=options.metadata)
        vectors = to_rows(response.embeddings.values, sender=self.name)
        if len(vectors) != len(pictures) or not all(map(any, vectors)):
            raise FaultError(Reason.INTERNAL, f"The service {self.name} sent vectors that cannot be used.")
        return PictureVectors(tuple(vectors), response.model, self._score_curve(response))

    def _score_curve(self, response: similarity_pb2.EmbedImagesResponse) -> ScoreCurve | None:
        if not response.HasField("score_curve"):
            return None
        try:
            return ScoreCurve(response.score_curve.midpoint, response.score_curve.slope)
        except ValueError as error:
            raise FaultError(
                Reason.INTERNAL, f"The service {self.name} sent a score curve that cannot be used."
            ) from error

    async def score_alignment(self, sound: Embedding, picture: Picture, deadline: Deadline) -> Alignment:
        """Returns how well a picture fits a sound, by the service's default model for that.

        Raises:
            ChladniError: The picture or the sound cannot be used, or the service failed or does not offer it.
        """
        request = similarity_pb2.ScoreAlignmentRequest(
            sound=similarity_pb2.SoundQuery(embedding=to_embedding_message(sound)),
            image=to_image_message(picture),
        )
        async with self._call(deadline) as (stub, options):
            response = await stub.ScoreAlignment(request, timeout=options.timeout, metadata=options.metadata)
        return Alignment(response.score, response.cosine, response.model)

    async def _get_models(
        self, stub: similarity_grpc.SimilarityServiceAsyncStub, options: CallOptions
    ) -> similarity_pb2.GetModelsResponse:
        return await stub.GetModels(
            similarity_pb2.GetModelsRequest(), timeout=options.timeout, metadata=options.metadata
        )
