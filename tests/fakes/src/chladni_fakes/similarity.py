"""A similarity service whose answers are decided by plain attributes."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from chladni_contract.errors import ChladniError


class ScriptedSimilarity(similarity_grpc.SimilarityServiceServicer):
    """Finds equal images equal, and others as alike as it was told.

    Attributes:
        error: Raised by every call, if set.
        score: Score of images that differ.
        alignment_error: Raised by every question about alignment, if set.
        fit: Tells how well an image, by its content, fits a sound, by the embedding's data.
        embedded: Content of every image that was embedded so far.
        aligned: Every question about alignment so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything that was set or remembered."""
        self.error: ChladniError | None = None
        self.score = 0.5
        self.alignment_error: ChladniError | None = None
        self.fit: Callable[[bytes, bytes], float] = _arbitrary_fit
        self.embedded: list[bytes] = []
        self.aligned: list[similarity_pb2.ScoreAlignmentRequest] = []

    async def EmbedImages(
        self, request: similarity_pb2.EmbedImagesRequest, _context: Any
    ) -> similarity_pb2.EmbedImagesResponse:
        """Gives each image the direction of its digest."""
        if self.error is not None:
            raise self.error
        contents = [image.content for image in request.encoded.images]
        self.embedded.extend(contents)
        digests = [hashlib.sha256(content).digest() for content in contents]
        values = [byte - 128.0 for digest in digests for byte in digest]
        return similarity_pb2.EmbedImagesResponse(
            embeddings=tensor_pb2.Embedding(
                space="scripted-eye",
                values=tensor_pb2.Tensor(
                    dtype=tensor_pb2.DATA_TYPE_FLOAT32,
                    shape=[len(contents), 32],
                    data=struct.pack(f"<{len(values)}f", *values),
                ),
            ),
            model="scripted-eye",
        )

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
        score = self.fit(request.image.content, request.sound.embedding.values.data)
        return similarity_pb2.ScoreAlignmentResponse(
            score=score, cosine=2 * score - 1, model="scripted-eye-and-ear"
        )


def _arbitrary_fit(image: bytes, sound: bytes) -> float:
    """Returns a score that always is the same for the same two, and else tells nothing."""
    return hashlib.sha256(image + sound).digest()[0] / 255
