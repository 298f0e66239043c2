"""Requests for images, and their results."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_benchmarks.figures import MeasurementError
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.tensors import to_tensor


def random_embedding(seed: int) -> NDArray[np.float32]:
    """Return a random embedding: float32 (152,) in [0, 1]."""
    return np.random.default_rng(seed).random(COMPONENT_COUNT, dtype=np.float32)


def generation_request(seed: int, **options: Any) -> image_pb2.GenerateImageRequest:
    """Return a request for an image that is computed and not taken from a cache.

    Args:
        seed: Seed of the noise and of the random embedding.
        options: Further options; absent ones have their defaults.
    """
    embedding = tensor_pb2.Embedding(space=DESCRIPTOR_SPACE, values=to_tensor(random_embedding(seed)))
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=embedding),
        options=generation_pb2.GenerationOptions(seed=seed, bypass_cache=True, **options),
    )


def pixels_of(png: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a PNG, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@dataclass(frozen=True, slots=True)
class FinishedGeneration:
    """A finished generation.

    Attributes:
        completed: Its last event.
        step_count: Number of steps that it reported.
    """

    completed: image_pb2.GenerationCompleted
    step_count: int

    @classmethod
    def of(cls, events: Iterable[image_pb2.GenerateImageResponse]) -> FinishedGeneration:
        """Read the events of a call to their end.

        Raises:
            MeasurementError: They do not end with an image, or it came from a cache.
        """
        step_count = 0
        completed = None
        for event in events:
            step_count += event.HasField("progress")
            if event.HasField("completed"):
                completed = event.completed
        if completed is None or completed.reused:
            raise MeasurementError("a generation ended without a new image")
        return cls(completed, step_count)
