"""The calls of the contract: validate, call, convert."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import grpc

from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import NotOfferedError
from chladni_runtime.server.request_context import cancellation_of
from chladni_similarity.alignment import Aligner
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.grpc_api import collections as collection_conversion
from chladni_similarity.grpc_api import messages as conversion
from chladni_similarity.grpc_api.sounds import to_sound
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.models.catalog import ModelCatalog
from chladni_similarity.models.scoring import cosine_of
from chladni_similarity.search import NeighbourEngine

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_NO_COLLECTION: Final = (
    "This server keeps no collections of images; its operator may set CHLADNI_SIMILARITY_COLLECTIONS. "
    "Embed images with EmbedImages, keep the vectors, and rank them by their dot product; or compare two "
    "images with CompareImages."
)


class SimilarityServicer(similarity_grpc.SimilarityServiceServicer):
    """Embeds and compares images, with one another and with sounds.

    Args:
        catalog: The models.
        engine: Embeds images.
        aligner: Scores how well images fit sounds.
        neighbours: Searches collections; `None` where the server keeps none.
        limits: Limits of one image.
    """

    def __init__(
        self,
        *,
        catalog: ModelCatalog,
        engine: EmbeddingEngine,
        aligner: Aligner,
        neighbours: NeighbourEngine | None,
        limits: ImageLimits,
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._aligner = aligner
        self._neighbours = neighbours
        self._limits = limits

    async def EmbedImages(
        self, request: similarity_pb2.EmbedImagesRequest, context: Context
    ) -> similarity_pb2.EmbedImagesResponse:
        """Embeds one or more images."""
        embedder = self._catalog.find(request.model)
        images = conversion.images_to_embed(request, self._limits)
        with cancellation_of(context) as token:
            embeddings = await self._engine.embed(embedder, images, token, own_batch=request.own_batch)
        return conversion.embed_images_response(embedder, embeddings)

    async def CompareImages(
        self, request: similarity_pb2.CompareImagesRequest, context: Context
    ) -> similarity_pb2.CompareImagesResponse:
        """Scores how alike two images are."""
        embedder = self._catalog.find(request.model)
        images = conversion.images_to_compare(request, self._limits)
        with cancellation_of(context) as token:
            embeddings = await self._engine.embed(embedder, images, token)
        cosine = cosine_of(*embeddings.vectors)
        return similarity_pb2.CompareImagesResponse(
            score=embedder.score_map.score_of(cosine), cosine=cosine, model=embedder.card.model_id
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
        """Scores how well an image fits a sound."""
        embedder = self._catalog.find_sound_embedder(request.model)
        image = conversion.image_to_align(request, self._limits)
        sound = to_sound(request.sound, field="sound")
        with cancellation_of(context) as token:
            alignment = await self._aligner.score(embedder, sound, image, token)
        return similarity_pb2.ScoreAlignmentResponse(
            score=alignment.score, cosine=alignment.cosine, model=embedder.card.model_id
        )

    async def AddImages(
        self, request: similarity_pb2.AddImagesRequest, context: Context
    ) -> similarity_pb2.AddImagesResponse:
        """Adds images to a collection."""
        neighbours = self._require_collections()
        collection, images = collection_conversion.images_to_add(request, self._limits)
        with cancellation_of(context) as token:
            size = await neighbours.add(collection, images, token)
        return similarity_pb2.AddImagesResponse(image_count=size)

    async def SearchImages(
        self, request: similarity_pb2.SearchImagesRequest, context: Context
    ) -> similarity_pb2.SearchImagesResponse:
        """Finds the images of a collection that are most like an image, or fit a sound best."""
        neighbours = self._require_collections()
        collection, count = collection_conversion.search_scope(request)
        with cancellation_of(context) as token:
            if request.WhichOneof("query") == "image":
                image = conversion.encoded_image(request.image, "image", self._limits)
                found = await neighbours.search_by_image(collection, image, count, token)
            else:
                sound = to_sound(request.sound, field="sound")
                found = await neighbours.search_by_sound(collection, sound, count, token)
        return collection_conversion.search_images_response(found)

    async def DeleteImages(
        self, request: similarity_pb2.DeleteImagesRequest, context: Context
    ) -> similarity_pb2.DeleteImagesResponse:
        """Deletes images from a collection."""
        neighbours = self._require_collections()
        collection, image_ids = collection_conversion.ids_to_delete(request)
        with cancellation_of(context) as token:
            deleted = await neighbours.delete(collection, image_ids, token)
        return similarity_pb2.DeleteImagesResponse(deleted_count=deleted)

    def _require_collections(self) -> NeighbourEngine:
        if self._neighbours is None:
            raise NotOfferedError(_NO_COLLECTION)
        return self._neighbours


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
