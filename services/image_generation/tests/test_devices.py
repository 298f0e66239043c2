"""What becomes of a device or a default model that cannot be used."""

from __future__ import annotations

import pytest
import torch
from prometheus_client import CollectorRegistry

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.model.v1 import model_pb2
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.models.files import ModelFilesError
from chladni_runtime.settings import ConfigurationError


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"device": "cuda"}, "DEVICE='cuda' cannot be used: PyTorch finds no GPU here"),
        ({"cpu_offload": True}, "CPU_OFFLOAD='true' cannot be used: it needs a GPU"),
    ],
)
async def test_a_gpu_that_is_not_there_is_one_sentence_before_anything_is_loaded(
    monkeypatch, overrides, problem
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigurationError, match=problem):
        async with compose(ImageGenerationSettings(**overrides))(CollectorRegistry()):
            pass


async def test_a_default_model_that_cannot_be_loaded_is_listed_and_the_next_takes_its_place(tmp_path):
    settings = ImageGenerationSettings(
        model=str(tmp_path / "absent"),
        further_models="embedded",
        grpc_port=0,
        metrics_port=0,
        thread_count=1,
        drain_delay_seconds=0,
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES, settings=settings) as (
        _,
        channel,
    ):
        stub = image_grpc.ImageGenerationServiceStub(channel)
        answer = await stub.ListModels(image_pb2.ListModelsRequest())
    ready, absent = answer.models
    assert answer.default_model == ready.id
    assert ready.state == model_pb2.MODEL_STATE_READY
    assert (absent.id, absent.state) == ("absent", model_pb2.MODEL_STATE_UNAVAILABLE)
    assert "no such directory" in absent.unavailable_reason
    assert str(tmp_path) not in absent.unavailable_reason


async def test_without_any_model_the_service_does_not_start(tmp_path):
    settings = ImageGenerationSettings(model=str(tmp_path / "absent"))
    with pytest.raises(ModelFilesError, match="no such directory"):
        async with compose(settings)(CollectorRegistry()):
            pass
