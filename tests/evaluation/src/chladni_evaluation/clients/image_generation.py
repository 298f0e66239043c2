"""A client of the image-generation service."""

from __future__ import annotations

import grpc

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_benchmarks.figures import MeasurementError
from chladni_evaluation.clients.errors import CALL_TIMEOUT_SECONDS, answered


class ImageGenerationClient:
    """Generates images with the model's defaults.

    Args:
        channel: Channel to the service.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = image_grpc.ImageGenerationServiceStub(channel)

    def look_count(self) -> int:
        """Return how many looks the default model has.

        Raises:
            MeasurementError: The service does not answer.
        """
        with answered("ListModels"):
            response = self._stub.ListModels(image_pb2.ListModelsRequest(), timeout=CALL_TIMEOUT_SECONDS)
        return next(
            (
                len(model.image_generation.looks)
                for model in response.models
                if model.id == response.default_model
            ),
            0,
        )

    def generate(self, embedding: tensor_pb2.Embedding, *, seed: int, bypass_cache: bool = False) -> bytes:
        """Return the image of a clip, a PNG.

        Args:
            embedding: Embedding of the clip.
            seed: Seed of the noise.
            bypass_cache: Whether to compute the image even if the service has it in its cache.

        Raises:
            MeasurementError: The service refuses, or ends without an image.
        """
        request = image_pb2.GenerateImageRequest(
            conditioning=image_pb2.Conditioning(audio_embedding=embedding),
            options=generation_pb2.GenerationOptions(seed=seed, bypass_cache=bypass_cache),
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
