"""The image-generation service, as a caller sees it."""

from __future__ import annotations

import grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_benchmarks.figures import MeasurementError
from chladni_evaluation.clients.errors import CALL_TIMEOUT_SECONDS, answered


class Painter:
    """Has images painted, with the model's defaults.

    Args:
        channel: Channel to the service.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = image_grpc.ImageGenerationServiceStub(channel)

    def paint(self, embedding: tensor_pb2.Embedding, *, seed: int, is_fresh: bool = False) -> bytes:
        """Returns the image of a sound, a PNG.

        Args:
            embedding: Embedding of the sound.
            seed: Seed of the noise.
            is_fresh: Whether it must be computed, though the service may know it.

        Raises:
            MeasurementError: The service refuses, or ends without an image.
        """
        request = image_pb2.GenerateImageRequest(
            conditioning=image_pb2.Conditioning(audio_embedding=embedding), seed=seed, bypass_cache=is_fresh
        )
        completed = None
        with answered("GenerateImage"):
            for event in self._stub.GenerateImage(request, timeout=CALL_TIMEOUT_SECONDS):
                if event.HasField("completed"):
                    completed = event.completed
        if completed is None:
            raise MeasurementError("GenerateImage ended without an image")
        content: bytes = completed.image.content
        return content
