"""Base and refiner in the engine and in the service: companions, progress, cancellation, the wire."""

from __future__ import annotations

import asyncio
import io

import grpc
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.model.v1 import model_pb2
from chladni_contract.errors import ChladniError, Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.generation import (
    Completed,
    PreviewOptions,
    Progress,
)
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import new_scheduler
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl import (
    XL_SCHEDULE,
)
from chladni_runtime.execution.cancellation import CancellationToken

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
CATALOG = SchedulerCatalog(new_scheduler("EulerDiscreteScheduler", XL_SCHEDULE))
NOISY_SCHEDULERS = ("EulerAncestralDiscreteScheduler", "DDPMScheduler", "LCMScheduler")


@pytest.fixture
def companions(request_for, conditioning_of):
    """Requests that are in other places of both stages, of other sizes, and some unguided."""
    return [
        request_for(
            conditioning_of(prompt=f"prompt {index}"),
            seed=index,
            steps=3 + 2 * (index % 3),
            guidance_scale=1.0 + 2 * (index % 2),
            scheduler=(CATALOG.names[0], *NOISY_SCHEDULERS)[index % 4],
            width_pixels=(16, 32)[index // 4],
            refiner_start=(0.3, 0.7, 1.0)[index % 3],
        )
        for index in range(8)
    ]


@pytest.mark.parametrize("batch_size", [1, 3])
async def test_companions_never_change_an_image(make_engine, image_of, refined_model, companions, batch_size):
    requests = companions
    async with make_engine(refined_model, batch_size=batch_size) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        for request, image in zip(requests, together, strict=True):
            np.testing.assert_array_equal(image, await image_of(engine, request))


async def test_the_engine_gives_the_ensembles_image(
    make_engine,
    image_of,
    refined_model,
    companions,
    pipeline,
    refiner,
    assert_equal_images,
    expected_of,
):
    requests = [request for request in companions if request.refiner_start < 1]
    async with make_engine(refined_model) as engine:
        images = await asyncio.gather(*(image_of(engine, request) for request in requests))
    for request, image in zip(requests, images, strict=True):
        assert_equal_images(image, expected_of(pipeline, request, refiner=refiner))


async def test_progress_counts_the_steps_of_both_stages_with_previews_in_each(
    make_engine, events_of, refined_model, request_for
):
    request = request_for(steps=6, refiner_start=0.6)
    async with make_engine(refined_model) as engine:
        events = await events_of(engine, request, previews=PreviewOptions(1, 16))
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.step, event.total_steps) for event in progress] == [(step, 6) for step in range(1, 7)]
    assert [event.preview is not None for event in progress] == [True] * 5 + [False]
    previews = {event.preview.jpeg for event in progress[:-1]}
    assert len(previews) == 5
    assert events[-1].provenance.refiner_start == 0.6


async def test_a_request_is_cancelled_in_its_second_stage(make_engine, refined_model, events_of, request_for):
    token = CancellationToken()
    steps = []

    async def follow(engine):
        async for event in engine.generate(request_for(steps=40, refiner_start=0.2), token):
            if isinstance(event, Progress):
                steps.append(event.step)
            if steps[-1:] == [12]:
                token.cancel()

    async with make_engine(refined_model) as engine:
        with pytest.raises(ChladniError) as caught:
            await follow(engine)
        assert caught.value.reason is Reason.CANCELLED
        assert steps[-1] < 40
        assert isinstance((await events_of(engine, request_for(refiner_start=0.4)))[-1], Completed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(directory_of, refiner_directory):
    settings = ImageGenerationSettings(
        model=f"{directory_of()}+{refiner_directory}",
        further_models=f"{directory_of()}, {refiner_directory}+{refiner_directory}",
        thread_count=1,
        max_steps=50,
        batch_size=2,
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(*, conditioning=None, **options):
    defaults = {"seed": 7, "steps": 5, "guidance_scale": 4.0}
    return image_pb2.GenerateImageRequest(
        conditioning=conditioning or image_pb2.Conditioning(prompt="a cat", negative_prompt="a dog"),
        options=generation_pb2.GenerationOptions(**(defaults | options)),
    )


async def completed_of(stub, message):
    return [event async for event in stub.GenerateImage(message)][-1].completed


def pixels_of(completed):
    return np.asarray(Image.open(io.BytesIO(completed.image.content)))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_service_gives_the_ensembles_image(
    stub, pipeline, refiner, request_for, assert_equal_images, expected_of
):
    completed = await completed_of(stub, message_for())
    request = request_for(refiner_start=0.8)
    assert_equal_images(pixels_of(completed), expected_of(pipeline, request, refiner=refiner))
    assert completed.provenance.refiner_start == 0.8
    for fields in ({"refiner_start": 1.0}, {"model": "tiny-xl"}):
        base = await completed_of(stub, message_for(**fields))
        assert_equal_images(pixels_of(base), expected_of(pipeline, request_for()))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_service_describes_the_models(stub):
    ensemble, base, unavailable = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert ensemble.family == base.family == "stable-diffusion-xl"
    assert input_names(ensemble, required_only=True) == ("prompt",)
    assert "refiner_start" in input_names(ensemble)
    assert ensemble.image_generation.default_refiner_start == 0.8
    assert "refiner_start" not in input_names(base)
    assert not base.image_generation.HasField("default_refiner_start")
    assert unavailable.state == model_pb2.MODEL_STATE_UNAVAILABLE
    assert "StableDiffusionXLImg2ImgPipeline" in unavailable.unavailable_reason


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"conditioning": image_pb2.Conditioning(negative_prompt="a dog")}, "conditioning.prompt"),
        ({"refiner_start": 0.0}, "options.refiner_start"),
        ({"refiner_start": 0.5, "model": "tiny-xl"}, "options.refiner_start"),
        ({"upscale": 2}, "options.upscale"),
        ({"width_pixels": 24}, "options.width_pixels"),
    ],
)
async def test_bad_requests_are_told_by_field(stub, fields, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await completed_of(stub, message_for(**fields))
    error = from_rpc_error(caught.value)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in [violation.field for violation in error.violations]
