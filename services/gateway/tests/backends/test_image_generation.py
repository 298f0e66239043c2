"""Models that live on servers of their own."""

from __future__ import annotations

import asyncio

import pytest_asyncio

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import DeadlineExceededError, Reason, UnavailableError
from chladni_fakes import families
from chladni_fakes.image_generation import ScriptedImageGeneration
from chladni_fakes.servers import ScriptedService
from chladni_gateway.backends.image_generation import ImageGenerationPool
from chladni_gateway.domain.generation import Conditioning, GenerationRequest, GenerationSettings, Origin
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.models.catalog import ModelCatalog, ModelListing
from chladni_runtime.execution.deadlines import Deadline

NO_LIMIT = Deadline()


@pytest_asyncio.fixture(loop_scope="session")
async def second(shared_backends):
    """A second server of image generation, which has a Stable Diffusion model alone."""
    servicer = ScriptedImageGeneration()
    servicer.models = [families.stable_diffusion()]
    descriptor = image_pb2.DESCRIPTOR.services_by_name["ImageGenerationService"]
    server = ScriptedService(descriptor, image_grpc.add_ImageGenerationServiceServicer_to_server, servicer)
    await server.start()
    yield servicer, server
    await server.kill()


async def test_each_image_is_made_where_its_model_lives(backends, open_gateway_with, second):
    servicer, server = second
    async with open_gateway_with(further_image_generation_targets=(server.target,)) as gateway:
        assert (await gateway.create()).status_code == 200
        assert (await gateway.create(recipe="spectrogram")).status_code == 200
        listed = {
            item["name"]: item for item in (await gateway.http.get("/api/v1/recipes")).json()["recipes"]
        }
        health = await gateway.http.get("/api/v1/health")
    assert [request.options.model for request, _ in backends.image_generation.requests] == [families.EMBEDDED]
    assert [request.options.model for request, _ in servicer.requests] == ["scripted-sd"]
    assert listed["spectrogram"]["models"] == ["scripted-sd"]
    assert {"name": "image-generation-2", "state": "healthy"} in health.json()["services"]


async def test_a_further_server_that_is_down_takes_its_models_along_and_nothing_else(
    backends, open_gateway_with, second, error_of
):
    _, server = second
    async with open_gateway_with(further_image_generation_targets=(server.target,)) as gateway:
        assert (await gateway.create(recipe="spectrogram")).status_code == 200
        await server.kill()
        response = await gateway.create(recipe="spectrogram")
        assert response.status_code == 503
        error = error_of(response)
        assert (error["code"], error["stage"]) == ("BACKEND_UNAVAILABLE", "image_generation")
        assert "image-generation-2" in error["message"]
        assert (await gateway.create()).status_code == 200
        health = await gateway.http.get("/api/v1/health")
        assert health.status_code == 200
        assert {"name": "image-generation-2", "state": "unavailable"} in health.json()["services"]
        listed = {
            item["name"]: item for item in (await gateway.http.get("/api/v1/recipes")).json()["recipes"]
        }
        assert listed["embedded"]["available"]
        assert "image-generation-2" in listed["spectrogram"]["unavailable_reason"]
        await server.start()
        async with asyncio.timeout(10):
            while (await gateway.create(recipe="spectrogram")).status_code != 200:
                await asyncio.sleep(0.05)


class Server:
    """A server in memory, whose answer is decided by attributes."""

    def __init__(self, name, *models):
        self.name = name
        self.answer = models
        self.asked = 0
        self.generations = []

    async def models(self, _deadline):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def generate(self, generation, _deadline):
        self.generations.append(generation.model)
        return
        yield


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def summary(name, *, is_ready=True, is_default=False):
    return ModelSummary(name=name, is_ready=is_ready, is_default=is_default)


def catalog_of(*servers, clock=None):
    clock = clock or Clock()
    listings = [ModelListing(server, lifetime_seconds=5, clock=clock) for server in servers]
    sounds = ModelListing(Server("audio-features"), lifetime_seconds=5, clock=clock)
    return ModelCatalog(audio=sounds, image=listings), listings


async def test_what_was_told_a_moment_ago_is_not_asked_again():
    clock, server = Clock(), Server("main", summary("a"))
    catalog, _ = catalog_of(server, clock=clock)
    for _ in range(3):
        assert [model.name for model in (await catalog.cached(NO_LIMIT)).image.models] == ["a"]
    assert server.asked == 1
    await catalog.refresh(NO_LIMIT)
    assert server.asked == 2, "who wants to know how it is now is told so"
    clock.now = 5.1
    server.answer = (summary("b"),)
    assert [model.name for model in (await catalog.cached(NO_LIMIT)).image.models] == ["b"]


async def test_a_server_that_is_busy_has_the_models_that_it_had_and_one_that_is_gone_has_none():
    clock, server = Clock(), Server("main", summary("a"))
    catalog, _ = catalog_of(server, clock=clock)
    await catalog.cached(NO_LIMIT)
    clock.now = 6
    server.answer = DeadlineExceededError("Too slow.")
    offered = (await catalog.cached(NO_LIMIT)).image
    assert ([model.name for model in offered.models], offered.failure) == (["a"], None)
    offered = (await catalog.refresh(NO_LIMIT)).image
    assert offered.models == ()
    assert (offered.failure.reason, "in time" in offered.failure.message) == (
        Reason.BACKEND_UNAVAILABLE,
        True,
    )
    server.answer = UnavailableError(Reason.BACKEND_UNAVAILABLE, "It is gone.")
    offered = (await catalog.cached(NO_LIMIT)).image
    assert (offered.models, offered.failure.message) == ((), "It is gone.")


async def test_a_model_of_two_servers_is_taken_where_it_is_ready():
    first = Server("main", summary("both", is_ready=False), summary("own", is_default=True))
    other = Server("second", summary("both", is_default=True), summary("another"))
    catalog, listings = catalog_of(first, other)
    models = (await catalog.refresh(NO_LIMIT)).image.models
    assert [(model.name, model.is_ready, model.is_default) for model in models] == [
        ("both", True, False), ("own", True, True), ("another", True, False),
    ]  # fmt: skip
    servers = ImageGenerationPool([(first, listings[0]), (other, listings[1])])
    for name in ("both", "own", "another", "unheard-of"):
        generation = GenerationRequest(
            model=name,
            conditioning=Conditioning(),
            settings=GenerationSettings(),
            origin=Origin(recipe="r", audio_sha256=""),
        )
        assert [event async for event in servers.generate(generation, NO_LIMIT)] == []
    assert first.generations == ["own", "unheard-of"]
    assert other.generations == ["both", "another"]
