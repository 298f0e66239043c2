"""A client of the similarity service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np
from numpy.typing import NDArray

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_benchmarks.figures import MeasurementError
from chladni_contract.tensors import to_array
from chladni_evaluation.clients.errors import CALL_TIMEOUT_SECONDS, answered

EFFICIENTNET: Final = "efficientnet-lite0"
ALIGNMENT: Final = "chladni-alignment"
MOST_NEIGHBORS: Final = 100
_IMAGES_A_CALL: Final = 16


@dataclass(frozen=True, slots=True)
class ScoredSimilarity:
    """The similarity of two images, or of a clip and an image.

    Attributes:
        score: The calibrated score, 0 to 1.
        cosine: The cosine of their embeddings.
    """

    score: float
    cosine: float


class SimilarityClient:
    """Embeds, compares and searches for images.

    Args:
        channel: Channel to the service.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = similarity_grpc.SimilarityServiceStub(channel)

    def default_model(self) -> str:
        """Return the model that serves requests which name none."""
        with answered("SimilarityService.ListModels"):
            response = self._stub.ListModels(similarity_pb2.ListModelsRequest(), timeout=CALL_TIMEOUT_SECONDS)
        return str(response.default_model)

    def embed(self, images: Sequence[bytes], *, model: str) -> NDArray[np.float32]:
        """Return a vector of length 1 for each encoded image: (N, D), N at most 16.

        Raises:
            NotMeasurableError: The service has no such model.
            MeasurementError: It refuses an image.
        """
        batch = similarity_pb2.ImageBatch(images=[media_pb2.EncodedImage(content=image) for image in images])
        request = similarity_pb2.EmbedImagesRequest(encoded=batch, model=model)
        with answered(f"EmbedImages with {model}"):
            values = self._stub.EmbedImages(request, timeout=CALL_TIMEOUT_SECONDS).embeddings.values
        return to_array(values, field="embeddings", dtype=np.float32, shape=(len(images), None))

    def compare(self, first: bytes, second: bytes, *, model: str) -> ScoredSimilarity:
        """Return the similarity of two encoded images.

        Raises:
            NotMeasurableError: The service has no such model.
        """
        request = similarity_pb2.CompareImagesRequest(
            first=media_pb2.EncodedImage(content=first),
            second=media_pb2.EncodedImage(content=second),
            model=model,
        )
        with answered(f"CompareImages with {model}"):
            response = self._stub.CompareImages(request, timeout=CALL_TIMEOUT_SECONDS)
        return ScoredSimilarity(response.score, response.cosine)

    def align(self, audio: tensor_pb2.Embedding, image: bytes) -> ScoredSimilarity:
        """Return how well an image matches a clip.

        Raises:
            NotMeasurableError: The service offers no alignment.
        """
        request = similarity_pb2.ScoreAlignmentRequest(
            audio=similarity_pb2.AudioQuery(embedding=audio), image=media_pb2.EncodedImage(content=image)
        )
        with answered("ScoreAlignment"):
            response = self._stub.ScoreAlignment(request, timeout=CALL_TIMEOUT_SECONDS)
        return ScoredSimilarity(response.score, response.cosine)

    def add(self, collection: str, images: Mapping[str, bytes]) -> None:
        """Add images by identifier to a collection.

        Raises:
            NotMeasurableError: The service keeps no collections.
        """
        names = list(images)
        for first in range(0, len(names), _IMAGES_A_CALL):
            added = [
                similarity_pb2.CollectionImage(id=name, image=media_pb2.EncodedImage(content=images[name]))
                for name in names[first : first + _IMAGES_A_CALL]
            ]
            request = similarity_pb2.UpsertImagesRequest(collection=collection, images=added)
            with answered("UpsertImages"):
                self._stub.UpsertImages(request, timeout=CALL_TIMEOUT_SECONDS)

    def search(self, collection: str, audio: tensor_pb2.Embedding) -> dict[str, float]:
        """Return the scores of the 100 images that match a clip best, by identifier.

        Raises:
            NotMeasurableError: The service keeps no collections, or does not search by audio.
        """
        request = similarity_pb2.SearchImagesRequest(
            collection=collection,
            audio=similarity_pb2.AudioQuery(embedding=audio),
            page_size=MOST_NEIGHBORS,
        )
        with answered("SearchImages by audio"):
            neighbors = self._stub.SearchImages(request, timeout=CALL_TIMEOUT_SECONDS).neighbors
        return {neighbor.id: neighbor.score for neighbor in neighbors}

    def delete(self, collection: str, names: Sequence[str]) -> None:
        """Delete images from a collection.

        Raises:
            MeasurementError: Some were absent.
        """
        request = similarity_pb2.DeleteImagesRequest(collection=collection, ids=names)
        with answered("DeleteImages"):
            count = self._stub.DeleteImages(request, timeout=CALL_TIMEOUT_SECONDS).deleted_count
        if count != len(names):
            raise MeasurementError(f"DeleteImages deleted {count} images of {len(names)}")


def in_batches(images: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the images in batches that `Judge.embed` takes."""
    return [images[first : first + _IMAGES_A_CALL] for first in range(0, len(images), _IMAGES_A_CALL)]
