"""Requests, and the processor time of services."""

from __future__ import annotations

import os

import numpy as np

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_benchmarks.services.embedding_requests import embedding_request, random_images
from chladni_benchmarks.services.measured_service import processor_seconds
from chladni_contract.tensors import to_array


def test_processor_time_is_that_of_work_and_not_of_waiting() -> None:
    before = processor_seconds(os.getpid())
    while processor_seconds(os.getpid()) == before:
        sum(range(10_000))
    assert before < processor_seconds(os.getpid()) < before + 10


def test_images_differ_and_travel_as_they_are() -> None:
    images = random_images(3, side_pixels=32)
    assert images.shape == (3, 3, 32, 32)
    assert len({image.tobytes() for image in images}) == 3
    request = similarity_pb2.EmbedImagesRequest.FromString(embedding_request(images))
    received = to_array(request.pixels, field="pixels", dtype=np.uint8, shape=(None, 3, None, None))
    np.testing.assert_array_equal(received, images)
