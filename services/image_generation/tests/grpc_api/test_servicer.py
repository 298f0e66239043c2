"""The gRPC surface, over a real loopback server with a tiny model."""

from __future__ import annotations

import asyncio
import threading

import grpc
import numpy as np
import pytest
import pytest_asyncio

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_image_generation import composition
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.models.loading import load_model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(tiny_model_directory):
    settings = ImageGenerationSettings(model=str(tiny_model_directory), thread_count=1, max_steps=50)
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(embedding_seed=0, *, origin=None, **options):
    values = np.random.default_rng(embedding_seed).random(COMPONENT_COUNT, dtype=np.float32)
    embedding = tensor_pb2.Embedding(space=DESCRIPTOR_SPACE, values=to_tensor(values))
    conditioning = image_pb2.Conditioning(audio_embedding=embedding)
    return image_pb2.GenerateImageRequest(
        conditioning=conditioning,
        options=generation_pb2.GenerationOptions(**({"bypass_cache": True} | options)),
        origin=origin,
    )


async def events_of(stub, message):
    return [event async for event in stub.GenerateImage(message)]


async def error_of(stub, message):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events_of(stub, message)
    return caught.value.code(), from_rpc_error(caught.value)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_stream_runs_from_queued_to_completed(stub):
    events = await events_of(
        stub,
        message_for(seed=5, steps=3, previews=generation_pb2.PreviewOptions(interval_steps=1)),
    )
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["queued", "started", "progress", "progress", "progress", "completed"]
    assert events[1].started.seed == 5
    assert events[1].started.total_steps == 3
    assert events[2].progress.preview.width_pixels == 64
    assert not events[4].progress.HasField("preview")
    completed = events[-1].completed
    assert completed.image.content.startswith(b"\x89PNG")
    assert completed.provenance.seed == 5
    assert completed.provenance.scheduler == "FlowMatchEulerDiscreteScheduler"
    assert completed.processing_time.ToNanoseconds() > 0


@pytest.mark.asyncio(loop_scope="module")
async def test_defaults_come_from_the_model_and_the_drawn_seed_is_told(stub):
    first, second = [(await events_of(stub, message_for()))[-1].completed for _ in range(2)]
    assert first.provenance.steps == 4
    assert first.provenance.seed != second.provenance.seed
    again = (await events_of(stub, message_for(seed=first.provenance.seed)))[-1].completed
    assert again.image.content == first.image.content


@pytest.mark.asyncio(loop_scope="module")
async def test_eight_requests_at_once_get_what_they_would_get_alone(stub):
    messages = [message_for(index, seed=index, steps=2 + index % 3) for index in range(8)]
    together = await asyncio.gather(*(events_of(stub, message) for message in messages))
    for message, events in zip(messages, together, strict=True):
        alone = await events_of(stub, message)
        assert events[-1].completed.image.content == alone[-1].completed.image.content


@pytest.mark.asyncio(loop_scope="module")
async def test_an_identical_request_gets_the_image_again_unless_it_wants_it_anew(stub):
    first, again, anew = [
        (await events_of(stub, message_for(seed=3, bypass_cache=bypass)))[-1].completed
        for bypass in (False, False, True)
    ]
    assert [first.reused, again.reused, anew.reused] == [False, True, False]
    assert first.image.content == again.image.content == anew.image.content


@pytest.mark.asyncio(loop_scope="module")
async def test_the_provenance_tells_the_terms_of_the_contract(stub):
    reproducible = (await events_of(stub, message_for()))[-1].completed.provenance
    assert reproducible.reproducible
    assert (reproducible.batch_size, reproducible.decode_batch_size, reproducible.thread_count) == (1, 1, 1)
    assert reproducible.device_capability
    loose = (await events_of(stub, message_for(reproducible=False)))[-1].completed.provenance
    assert not loose.reproducible


async def test_a_silent_stream_sends_heartbeats_and_can_be_cancelled(
    tiny_model_directory, monkeypatch, until
):
    may_go_on, is_waiting = threading.Event(), threading.Event()

    def waiting(reference, options):
        model = load_model(reference, options)
        denoise = model.denoise

        def slow(rows):
            is_waiting.set()
            may_go_on.wait(30)
            return denoise(rows)

        model.denoise = slow
        return model

    monkeypatch.setattr(composition, "load_model", waiting)
    settings = ImageGenerationSettings(
        model=str(tiny_model_directory), thread_count=1, heartbeat_seconds=0.02
    )
    may_go_on.set()  # while it warms up
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)
        await stub.ListModels(image_pb2.ListModelsRequest(), wait_for_ready=True)
        may_go_on.clear()
        kinds = []
        async for event in stub.GenerateImage(message_for(seed=1, steps=2)):
            kinds.append(event.WhichOneof("event"))
            if kinds.count("heartbeat") == 3:
                may_go_on.set()
        assert [kind for kind in kinds if kind != "heartbeat"] == [
            "queued", "started", "progress", "progress", "completed",
        ]  # fmt: skip
        assert kinds.count("heartbeat") >= 3
        may_go_on.clear()
        call = stub.GenerateImage(message_for(seed=2, steps=40))
        async for event in call:
            if event.HasField("heartbeat"):
                break
        call.cancel()
        is_waiting.clear()
        may_go_on.set()
        # A later request gets the model at once: the other one's steps are not taken.
        events = await events_of(stub, message_for(seed=3, steps=1))
        assert events[-1].HasField("completed")


@pytest.mark.asyncio(loop_scope="module")
async def test_callers_are_told_apart_and_share_the_model(stub):
    finished = []

    async def generate(caller, seed):
        call = stub.GenerateImage(message_for(seed=seed, steps=30), metadata=(("x-caller-id", caller),))
        async for _ in call:
            pass
        finished.append(caller)

    flood = [asyncio.create_task(generate("flood", seed)) for seed in range(12)]
    await asyncio.sleep(0.05)
    await generate("single", 100)
    assert len(finished) < 6
    await asyncio.gather(*flood)


async def test_a_burst_beyond_the_queue_is_refused_and_nothing_is_lost(tiny_model_directory):
    settings = ImageGenerationSettings(
        model=str(tiny_model_directory), thread_count=1, max_queued_requests=16, max_active_requests=2
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)
        results = await asyncio.gather(
            *(events_of(stub, message_for(seed=seed)) for seed in range(100)), return_exceptions=True
        )
    refused = [from_rpc_error(result) for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert {error.reason for error in refused} == {Reason.QUEUE_FULL}
    assert all(error.retry_after_seconds > 0 for error in refused)
    served = [events for events in results if isinstance(events, list)]
    assert all(events[-1].HasField("completed") for events in served)
    assert len(served) + len(refused) == 100
    assert len(served) >= 16


@pytest.mark.asyncio(loop_scope="module")
async def test_the_model_is_described(stub):
    response = await stub.ListModels(image_pb2.ListModelsRequest())
    assert len(response.models) == 1
    model = response.models[0]
    assert response.default_model == model.id
    assert model.state == model_pb2.MODEL_STATE_READY
    assert model.image_generation.input_spaces == [DESCRIPTOR_SPACE]
    assert model.image_generation.latent_shape == [4, 8, 8]
    assert model.properties["latent_shape"] == "4x8x8"
    assert len(model.digest) == 64


def with_embedding(message, **fields):
    for name, value in fields.items():
        target = message.conditioning.audio_embedding
        if name == "space":
            target.space = value
        else:
            target.values.CopyFrom(to_tensor(value))
    return message


GOOD = np.zeros(COMPONENT_COUNT, np.float32)

BAD_MESSAGES = [
    (message_for(steps=0), "options.steps"),
    (message_for(steps=51), "options.steps"),
    (message_for(guidance_scale=0.5), "options.guidance_scale"),
    (message_for(guidance_scale=float("nan")), "options.guidance_scale"),
    (message_for(guidance_scale=31), "options.guidance_scale"),
    (message_for(scheduler="NoSuchScheduler"), "options.scheduler"),
    (message_for(width_pixels=100), "options.width_pixels"),
    (message_for(previews=generation_pb2.PreviewOptions(size_pixels=5000)), "options.previews.size_pixels"),
    (message_for(origin=image_pb2.Origin(recipe="x" * 65)), "origin.recipe"),
    (message_for(origin=image_pb2.Origin(audio_sha256="../etc")), "origin.audio_sha256"),
    (message_for(height_pixels=65), "options.height_pixels"),
    (message_for(priority=99), "options.priority"),
    (image_pb2.GenerateImageRequest(), "conditioning.audio_embedding"),
    (with_embedding(message_for(), space="clap"), "conditioning.audio_embedding.space"),
    (with_embedding(message_for(), values=GOOD[:5]), "conditioning.audio_embedding.values.shape"),
    (with_embedding(message_for(), values=GOOD + 2), "conditioning.audio_embedding.values"),
    (with_embedding(message_for(), values=GOOD * np.nan), "conditioning.audio_embedding.values.data"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("message", "field"), BAD_MESSAGES, ids=[field for _, field in BAD_MESSAGES])
async def test_a_bad_field_is_named_and_the_next_request_works(stub, message, field):
    code, error = await error_of(stub, message)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert (await events_of(stub, message_for(steps=1)))[-1].HasField("completed")


@pytest.mark.asyncio(loop_scope="module")
async def test_all_bad_fields_are_reported_together(stub):
    _, error = await error_of(stub, message_for(steps=0, guidance_scale=99, scheduler="None"))
    assert {violation.field for violation in error.violations} == {
        "options.steps",
        "options.guidance_scale",
        "options.scheduler",
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_a_condition_that_the_model_does_not_take_is_refused_not_ignored(stub):
    message = message_for()
    message.conditioning.prompt = "a cat"
    _, error = await error_of(stub, message)
    assert error.violations[0].field == "conditioning.prompt"


@pytest.mark.asyncio(loop_scope="module")
async def test_an_unknown_model_is_not_found(stub):
    code, error = await error_of(stub, message_for(model="dall-e"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert error.reason is Reason.UNKNOWN_MODEL


async def test_the_model_is_loaded_once_and_serves_every_request(tiny_model_directory, monkeypatch):
    loads = []

    def counting(reference, options):
        loads.append(reference)
        return load_model(reference, options)

    monkeypatch.setattr(composition, "load_model", counting)
    settings = ImageGenerationSettings(model=str(tiny_model_directory), thread_count=1)
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)
        for seed in range(3):
            assert (await events_of(stub, message_for(seed=seed)))[-1].HasField("completed")
    assert loads == [str(tiny_model_directory)]
