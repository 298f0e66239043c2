"""A service whose answers follow a script, and how to call it."""

from __future__ import annotations

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import loopback_service


@pytest.fixture
async def servicer():
    return ScriptedServicer()


@pytest.fixture
async def service(servicer):
    async with loopback_service(compose_around(servicer), service_names=[SERVICE_NAME]) as (running, channel):
        yield running, channel


def request_for(model):
    return image_pb2.GenerateImageRequest(options=generation_pb2.GenerationOptions(model=model))


@pytest.fixture(name="request_for", scope="session")
def request_for_fixture():
    return request_for


async def drained(stream):
    return [message async for message in stream]


@pytest.fixture(name="drained", scope="session")
def drained_fixture():
    return drained


async def scripted_failure(servicer, channel, error):
    servicer.errors["fails"] = error
    stub = image_grpc.ImageGenerationServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(stub.GenerateImage(request_for("fails")))
    return caught.value


@pytest.fixture(name="scripted_failure", scope="session")
def scripted_failure_fixture():
    return scripted_failure


async def sample(running, name, **labels):
    async with httpx.AsyncClient(verify=False) as client:
        text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
    return sum(
        item.value
        for family in text_string_to_metric_families(text)
        for item in family.samples
        if item.name == name and labels.items() <= item.labels.items()
    )


@pytest.fixture(name="sample", scope="session")
def sample_fixture():
    return sample


async def health_of(channel, name=SERVICE_NAME):
    response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


@pytest.fixture(name="health_of", scope="session")
def health_of_fixture():
    return health_of
