"""The service over a real loopback connection."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import LoopbackSettings, loopback_service


def loopback_settings(**changes):
    ports = {"grpc_port": 0, "metrics_port": 0, "drain_delay_seconds": 0.0}
    return AudioFeaturesSettings.model_validate(ports | {"worker_count": 2} | changes)


@pytest.fixture(scope="session", name="loopback_settings")
def _loopback_settings():
    """Return a function that makes the settings of a service on free ports."""
    return loopback_settings


@pytest.fixture
async def service(processes):
    composed = compose(loopback_settings(), processes=processes)
    async with loopback_service(
        composed, service_names=SERVICE_NAMES, settings=LoopbackSettings()
    ) as entered:
        yield entered


@pytest.fixture
def stub(service):
    _, channel = service
    return audio_grpc.AudioFeatureServiceStub(channel)


def values_of(tensor, *shape):
    return to_array(tensor, field="t", dtype=np.float32, shape=shape)


@pytest.fixture(scope="session", name="values_of")
def _values_of():
    return values_of


def seconds_of(duration):
    return duration.ToTimedelta().total_seconds()


@pytest.fixture(scope="session", name="seconds_of")
def _seconds_of():
    return seconds_of


async def extract(stub, content, *features):
    return await stub.ExtractFeatures(
        audio_pb2.ExtractFeaturesRequest(audio=media_pb2.AudioClip(content=content), features=features)
    )


@pytest.fixture(scope="session", name="extract")
def _extract():
    return extract


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value, from_rpc_error(caught.value)


@pytest.fixture(scope="session", name="refusal")
def _refusal():
    return refusal
