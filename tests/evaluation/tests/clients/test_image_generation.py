"""What the client of image generation reads from the list of models."""

from __future__ import annotations

from types import SimpleNamespace

import grpc
import pytest

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.model.v1 import model_pb2
from chladni_evaluation.clients.image_generation import ImageGenerationClient


def info(name, *looks):
    abilities = model_pb2.ImageGenerationCapabilities(looks=looks)
    return model_pb2.ModelInfo(id=name, image_generation=abilities)


@pytest.mark.parametrize(("default", "count"), [("small", 1), ("large", 2), ("", 0)])
def test_the_looks_are_those_of_the_default_model(monkeypatch, default, count):
    models = [info("small", "landscape"), info("large", "landscape", "plate")]
    response = image_pb2.ListModelsResponse(models=models, default_model=default)
    with grpc.insecure_channel("localhost:1") as channel:
        client = ImageGenerationClient(channel)
        monkeypatch.setattr(client, "_stub", SimpleNamespace(ListModels=lambda *_, **__: response))
        assert client.look_count() == count
