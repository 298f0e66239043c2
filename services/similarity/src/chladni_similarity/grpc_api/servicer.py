"""The calls of the contract: validate, call, convert."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import grpc

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import NotOfferedError
from chladni_contract.tensors import to_tensor
from chladni_runtime.server.request_context import cancellation_of
from chladni_similarity.alignment import Aligner
from chladni_similarity.comparison import ImageComparer
from chladni_similarity.embedders.catalog import ModelCatalog
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.grpc_api import collections as collection_conversion
from chladni_similarity.grpc_api import messages as conversion
from chladni_similarity.grpc_api.audio import to_audio
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.search import ImageSearch

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_NO_COLLECTION: Final = (
    "This server keeps no collections of images; its operator may set CHLADNI_SIMILARITY_COLLECTIONS. "
    "Embed images with EmbedImages, keep the vectors, and rank them by their dot product; or compare images "
    "with CompareImageMatrix."
)


class SimilarityServicer(similarity_grpc.SimilarityServiceServicer):
    """Embeds, compares and finds images, and scores how well they fit audio.

    Args:
        catalog: The models.
        engine: Embeds images.
        comparer: Compares images.
        aligner: Scores how well images fit audio.
        search: Searches collections; `None` if the server keeps none.
        limits: Limits of one image.
    """

    def __init__(
        self,
        *,
        catalog: ModelCatalog,
        engine: EmbeddingEngine,
        comparer: ImageComparer,
        aligner: Aligner,
        search: ImageSearch | None,
        limits: ImageLimits,
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._comparer = comparer
        self._aligner = aligner
        self._search = search
        self._limits = limits

    async def EmbedImages(
        self, request: similarity_pb2.EmbedImagesRequest, context: Context
    ) -> similarity_pb2.EmbedImagesResponse:
        """Embed one or more images."""
        embedder = self._catalog.find(request.model)
        images = conversion.images_to_embed(request, self._limits)
        with cancellation_of(context) as token:
            embeddings = await self._engine.embed(embedder, images, token, own_batch=request.own_batch)
        return conversion.embed_images_response(embedder, embeddings)

    async def CompareImages(
        self, request: similarity_pb2.CompareImagesRequest, context: Context
    ) -> similarity_pb2.CompareImagesResponse:
        """Score how alike two images are."""
        embedder = self._catalog.find(request.model)
        images = conversion.images_to_compare(request, self._limits)
        with cancellation_of(context) as token:
            likeness = await self._comparer.compare(embedder, *images, token)
        return similarity_pb2.CompareImagesResponse(
            score=likeness.score, cosine=likeness.cosine, model=embedder.card.model_id
        )

    async def CompareImageMatrix(
        self, request: similarity_pb2.CompareImageMatrixRequest, context: Context
    ) -> similarity_pb2.CompareImageMatrixResponse:
        """Score how alike several images are."""
        embedder = self._catalog.find(request.model)
        rows, columns = conversion.images_of_matrix(request, self._limits)
        with cancellation_of(context) as token:
            scores = await self._comparer.compare_all(embedder, rows, columns, token)
        return similarity_pb2.CompareImageMatrixResponse(
            scores=to_tensor(scores), model=embedder.card.model_id
        )

    async def ListModels(
        self, request: similarity_pb2.ListModelsRequest, context: Context
    ) -> similarity_pb2.ListModelsResponse:
        """List the models of this server."""
        del request, context
        return conversion.models_response(
            self._catalog, default=self._catalog.default, unavailable=self._catalog.unavailable
        )

    async def ScoreAlignment(
        self, request: similarity_pb2.ScoreAlignmentRequest, context: Context
    ) -> similarity_pb2.ScoreAlignmentResponse:
        """Score how well an image fits a sound."""
        embedder = self._catalog.find_audio_embedder(request.model)
        image = conversion.image_to_align(request, self._limits)
        audio = to_audio(request.audio, field="audio")
        with cancellation_of(context) as token:
            alignment = await self._aligner.score(embedder, audio, image, token)
        return similarity_pb2.ScoreAlignmentResponse(
            score=alignment.score, cosine=alignment.cosine, model=embedder.card.model_id
        )

    async def UpsertImages(
        self, request: similarity_pb2.UpsertImagesRequest, context: Context
    ) -> similarity_pb2.UpsertImagesResponse:
        """Add images to a collection."""
        search = self._require_collections()
        collection, images = collection_conversion.images_to_add(request, self._limits)
        with cancellation_of(context) as token:
            size = await search.add(collection, images, token, replace_outdated=request.replace_outdated)
        return similarity_pb2.UpsertImagesResponse(image_count=size)

    async def SearchImages(
        self, request: similarity_pb2.SearchImagesRequest, context: Context
    ) -> similarity_pb2.SearchImagesResponse:
        """Find the images of a collection that are most like an image, or fit audio best."""
        search = self._require_collections()
        scope = collection_conversion.search_scope(request)
        with cancellation_of(context) as token:
            match request.WhichOneof("query"):
                case "image":
                    image = conversion.encoded_image(request.image, "image", self._limits)
                    result = await search.search_by_image(scope, image, token)
                case "id":
                    result = await search.search_by_id(scope, request.id, token)
                case "embedding":
                    vector = collection_conversion.query_vector(request.embedding, self._catalog.default.card)
                    result = await search.search_by_vector(scope, vector, token)
                case _:
                    audio = to_audio(request.audio, field="audio")
                    result = await search.search_by_audio(scope, audio, token)
        return collection_conversion.search_images_response(request, scope, result)

    async def DeleteImages(
        self, request: similarity_pb2.DeleteImagesRequest, context: Context
    ) -> similarity_pb2.DeleteImagesResponse:
        """Delete images from a collection."""
        search = self._require_collections()
        collection, image_ids = collection_conversion.ids_to_delete(request)
        with cancellation_of(context) as token:
            deleted = await search.delete(collection, image_ids, token)
        return similarity_pb2.DeleteImagesResponse(deleted_count=deleted)

    async def ListImages(
        self, request: similarity_pb2.ListImagesRequest, context: Context
    ) -> similarity_pb2.ListImagesResponse:
        """List the images of a collection."""
        search = self._require_collections()
        collection, count, first_id = collection_conversion.images_to_list(request)
        with cancellation_of(context) as token:
            images = await search.list_images(collection, count + 1, token, first_id=first_id)
        return collection_conversion.list_images_response(request, images, count)

    async def ListCollections(
        self, request: similarity_pb2.ListCollectionsRequest, context: Context
    ) -> similarity_pb2.ListCollectionsResponse:
        """List the collections."""
        search = self._require_collections()
        count, first_name = collection_conversion.collections_to_list(request)
        with cancellation_of(context) as token:
            infos = await search.list_collections(count + 1, token, first_name=first_name)
        return collection_conversion.list_collections_response(request, infos, count)

    async def GetCollection(
        self, request: similarity_pb2.GetCollectionRequest, context: Context
    ) -> similarity_pb2.GetCollectionResponse:
        """Describe a collection."""
        search = self._require_collections()
        collection = collection_conversion.collection_to_describe(request)
        with cancellation_of(context) as token:
            info = await search.describe_collection(collection, token)
        return similarity_pb2.GetCollectionResponse(collection=collection_conversion.to_collection(info))

    async def DeleteCollection(
        self, request: similarity_pb2.DeleteCollectionRequest, context: Context
    ) -> similarity_pb2.DeleteCollectionResponse:
        """Delete a collection with its images."""
        search = self._require_collections()
        collection = collection_conversion.collection_to_delete(request)
        with cancellation_of(context) as token:
            deleted = await search.delete_collection(collection, token)
        return similarity_pb2.DeleteCollectionResponse(deleted_count=deleted)

    def _require_collections(self) -> ImageSearch:
        if self._search is None:
            raise NotOfferedError(_NO_COLLECTION)
        return self._search
