"""The calls of the contract: validate, call, convert."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import grpc

from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_runtime.contexts import cancellation_of
from chladni_runtime.errors import NotOfferedError
from chladni_similarity import conversion
from chladni_similarity.embedding import EmbeddingEngine
from chladni_similarity.image_decoding import ImageLimits
from chladni_similarity.model_catalog import ModelCatalog
from chladni_similarity.scoring import cosine_of, score_of

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_NO_COLLECTION: Final = (
    "This server keeps no collections of pictures. Embed pictures with EmbedImages, keep the vectors, and "
    "rank them by their dot product; or compare two pictures with CompareImages."
)


class SimilarityServicer(similarity_grpc.SimilarityServiceServicer):
    """Embeds and compares pictures.

    Args:
        catalog: The models.
        engine: Embeds pictures.
        limits: Limits of one picture.
    """

    def __init__(self, *, catalog: ModelCatalog, engine: EmbeddingEngine, limits: ImageLimits) -> None:
        self._catalog = catalog
        self._engine = engine
        self._limits = limits

    async def EmbedImages(
        self, request: similarity_pb2.EmbedImagesRequest, context: Context
    ) -> similarity_pb2.EmbedImagesResponse:
        """Embeds one or more pictures."""
        embedder = self._catalog.find(request.model)
        images = conversion.images_to_embed(request, self._limits)
        with cancellation_of(context) as token:
            embeddings = await self._engine.embed(embedder, images, token, own_batch=request.own_batch)
        return conversion.embed_images_response(embedder.card, embeddings)

    async def CompareImages(
        self, request: similarity_pb2.CompareImagesRequest, context: Context
    ) -> similarity_pb2.CompareImagesResponse:
        """Scores how alike two pictures are."""
        embedder = self._catalog.find(request.model)
        images = conversion.images_to_compare(request, self._limits)
        with cancellation_of(context) as token:
            embeddings = await self._engine.embed(embedder, images, token)
        cosine = cosine_of(*embeddings.vectors)
        return similarity_pb2.CompareImagesResponse(
            score=score_of(cosine), cosine=cosine, model=embedder.card.model_id
        )

    async def GetModels(
        self, request: similarity_pb2.GetModelsRequest, context: Context
    ) -> similarity_pb2.GetModelsResponse:
        """Lists the models of this server."""
        del request, context
        return conversion.models_response(self._catalog, default=self._catalog.default)

    async def ScoreAlignment(
        self, request: similarity_pb2.ScoreAlignmentRequest, context: Context
    ) -> similarity_pb2.ScoreAlignmentResponse:
        """Is not offered."""
        raise NotOfferedError(
            "This server has no model that hears sounds and sees pictures. Compare pictures with "
            "CompareImages: those made of like sounds are alike."
        )

    async def AddImages(
        self, request: similarity_pb2.AddImagesRequest, context: Context
    ) -> similarity_pb2.AddImagesResponse:
        """Is not offered."""
        raise NotOfferedError(_NO_COLLECTION)

    async def SearchImages(
        self, request: similarity_pb2.SearchImagesRequest, context: Context
    ) -> similarity_pb2.SearchImagesResponse:
        """Is not offered."""
        raise NotOfferedError(_NO_COLLECTION)

    async def DeleteImages(
        self, request: similarity_pb2.DeleteImagesRequest, context: Context
    ) -> similarity_pb2.DeleteImagesResponse:
        """Is not offered."""
        raise NotOfferedError(_NO_COLLECTION)


class AnomalyServicer(anomaly_grpc.AnomalyServiceServicer):
    """Tells that this server judges no machines."""

    async def ScoreAnomaly(
        self, request: anomaly_pb2.ScoreAnomalyRequest, context: Context
    ) -> anomaly_pb2.ScoreAnomalyResponse:
        """Is not offered."""
        raise NotOfferedError(
            "This server has no model of a machine's normal operation. Follow a machine by the descriptors "
            "that AudioFeatureService.ExtractFeatures gives of its recordings."
        )
