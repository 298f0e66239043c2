"""The gateway over gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import uuid

import grpc
import pytest

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2_grpc as gateway_grpc
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import FaultError, InvalidInputError, Reason
from chladni_contract.metadata import CALLER_ID_KEY, REQUEST_ID_KEY
from chladni_contract.status import from_rpc_error
from chladni_fakes import colored_png, solid_png

SOUND = b"fLaC sound"


def creation(content=SOUND, **fields):
    audio = media_pb2.AudioClip(content=content, display_name="sound.flac")
    return gateway_pb2.CreateImageRequest(audio=audio, **fields)


async def events_of(gateway, request):
    return [event async for event in gateway.stub.CreateImage(request)]


async def failure_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


async def test_a_recording_becomes_an_image_with_events_on_the_way(gateway):
    request = creation(
        seed=5,
        steps=2,
        guidance_scale=1.5,
        previews=image_pb2.PreviewOptions(interval_steps=1, size_pixels=16),
    )
    events = await events_of(gateway, request)
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["analyzed", "queued", "started", "progress", "progress", "created"]
    assert [event.stage for event in events] == [
        gateway_pb2.STAGE_AUDIO_FEATURES,
        *[gateway_pb2.STAGE_IMAGE_GENERATION] * 4,
        gateway_pb2.STAGE_STORAGE,
    ]
    digest = hashlib.sha256(SOUND).hexdigest()
    assert events[0].analyzed.audio.format == media_pb2.AUDIO_FORMAT_FLAC
    assert events[0].analyzed.audio.sha256 == digest
    assert events[0].analyzed.descriptors[0].name == "loudness"
    assert events[2].started.seed == 5
    assert events[2].started.guidance_scale == 1.5
    assert events[3].progress.preview.width_pixels == 16
    assert events[3].progress.HasField("elapsed")
    assert events[3].progress.HasField("remaining")
    created = events[-1].created
    assert not created.is_reused
    assert created.image.content == colored_png(digest, 5, 512)
    assert created.image.format == media_pb2.IMAGE_FORMAT_PNG
    assert created.provenance.recipe == "embedded"
    assert created.provenance.library_versions["scripted"] == "1"
    assert created.processing_time.ToTimedelta().total_seconds() > 0

    stored = await gateway.stub.GetImage(gateway_pb2.GetImageRequest(image_id=created.image_id))
    assert stored.image.content == created.image.content
    assert stored.expire_time == created.expire_time
    lifetime = stored.expire_time.ToDatetime() - stored.create_time.ToDatetime()
    assert lifetime.total_seconds() == 86400
    rest = await gateway.http.get(f"/api/images/{created.image_id}")
    assert rest.content == created.image.content


async def test_every_field_of_a_request_travels(backends, gateway):
    backends.image_generation.is_reused = True
    request = creation(
        scheduler="DDIMScheduler",
        width_pixels=64,
        height_pixels=32,
        priority=image_pb2.PRIORITY_BATCH,
        exact=False,
        bypass_cache=True,
    )
    created = (await events_of(gateway, request))[-1].created
    assert created.is_reused
    assert not created.provenance.exact
    assert (created.provenance.device_capability, created.provenance.decode_batch_size) == ("pencil", 1)
    sent, _ = backends.image_generation.requests[0]
    names = ("scheduler", "width_pixels", "height_pixels", "priority", "exact", "bypass_cache")
    assert [getattr(sent, name) for name in names] == [getattr(request, name) for name in names]
    assert sent.HasField("exact")


async def test_a_request_that_says_nothing_is_interactive_and_exact(backends, gateway):
    await events_of(gateway, creation())
    sent, _ = backends.image_generation.requests[0]
    assert (sent.priority, sent.exact, sent.bypass_cache) == (image_pb2.PRIORITY_INTERACTIVE, True, False)
    assert not sent.scheduler
    assert not sent.HasField("width_pixels")
    assert not sent.HasField("height_pixels")


async def test_callers_are_told_apart(backends, gateway):
    for metadata in (((CALLER_ID_KEY, "team-a"),), ((CALLER_ID_KEY, "t" * 128),), ()):
        async for _ in gateway.stub.CreateImage(creation(), metadata=metadata):
            pass
    callers = [metadata[CALLER_ID_KEY] for _, metadata in backends.image_generation.requests]
    assert callers == ["team-a", "t" * 128, "ipv4:127.0.0.1"]


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (creation(b""), Reason.EMPTY_AUDIO, "audio.content"),
        (gateway_pb2.CreateImageRequest(), Reason.EMPTY_AUDIO, "audio.content"),
        (creation(b"x" * (10 * 1024 * 1024 + 1)), Reason.FILE_TOO_LARGE, "audio.content"),
        (creation(steps=0), Reason.INVALID_FIELD, "steps"),
        (creation(guidance_scale=float("nan")), Reason.INVALID_FIELD, "guidance_scale"),
        (creation(recipe="r" * 65), Reason.INVALID_FIELD, "recipe"),
        (creation(scheduler="s" * 65), Reason.INVALID_FIELD, "scheduler"),
        (creation(width_pixels=0), Reason.INVALID_FIELD, "width_pixels"),
        (creation(height_pixels=4097), Reason.INVALID_FIELD, "height_pixels"),
        (creation(priority=7), Reason.INVALID_FIELD, "priority"),
        (
            creation(previews=image_pb2.PreviewOptions(interval_steps=1, size_pixels=4)),
            Reason.INVALID_FIELD,
            "previews.size_pixels",
        ),
        (
            creation(previews=image_pb2.PreviewOptions(interval_steps=151)),
            Reason.INVALID_FIELD,
            "previews.interval_steps",
        ),
        (
            gateway_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=b"x", display_name="n" * 256)),
            Reason.INVALID_FIELD,
            "audio.display_name",
        ),
    ],
)
async def test_a_wrong_request_is_refused_by_name(gateway, request_, reason, field):
    code, error = await failure_of(events_of(gateway, request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is reason
    assert error.violations[0].field == field
    assert error.metadata["stage"] == "validation"


async def test_an_unknown_recipe_is_not_found(gateway):
    code, error = await failure_of(events_of(gateway, creation(recipe="alchemy")))
    assert code is grpc.StatusCode.NOT_FOUND
    assert (error.reason, error.metadata["stage"]) == (Reason.UNKNOWN_RECIPE, "validation")


async def test_the_error_of_a_service_keeps_its_details_and_gains_the_stage(backends, gateway):
    backends.audio_features.error = InvalidInputError(
        Reason.AUDIO_TOO_SHORT, "0.01 s, at least 0.1 s.", field="audio.content"
    )
    code, error = await failure_of(events_of(gateway, creation()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.AUDIO_TOO_SHORT
    assert error.violations[0].field == "audio.content"
    assert error.metadata["stage"] == "validation"
    backends.audio_features.error = None
    backends.image_generation.error = FaultError(Reason.OUT_OF_MEMORY, "Too big.")
    code, error = await failure_of(events_of(gateway, creation()))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.metadata["stage"] == "image_generation"


async def test_cancelling_stops_the_denoising(backends, gateway, eventually):
    backends.image_generation.may_go_on.clear()
    call = gateway.stub.CreateImage(creation())
    await call.read()
    await eventually(lambda: backends.image_generation.running == 1)
    call.cancel()
    await eventually(lambda: backends.image_generation.cancelled == 1)


async def test_a_client_whose_connection_ends_stops_the_denoising(backends, gateway, eventually):
    backends.image_generation.may_go_on.clear()
    channel = grpc.aio.insecure_channel(gateway.grpc_address)
    call = gateway_grpc.AudioToImageServiceStub(channel).CreateImage(creation())
    await call.read()
    await eventually(lambda: backends.image_generation.running == 1)
    await channel.close()
    await eventually(lambda: backends.image_generation.cancelled == 1)


async def test_the_callers_deadline_travels_through_all_hops(backends, gateway, eventually):
    backends.image_generation.may_go_on.clear()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in gateway.stub.CreateImage(
            creation(), timeout=0.5, metadata=((REQUEST_ID_KEY, "from-the-caller"),)
        ):
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert backends.image_generation.remaining_seconds[0] < 1
    assert backends.image_generation.requests[0][1][REQUEST_ID_KEY] == "from-the-caller"
    await eventually(lambda: backends.image_generation.running == 0)


@pytest.mark.parametrize(
    ("priority", "caller_seconds", "expected_seconds"),
    [
        (image_pb2.PRIORITY_UNSPECIFIED, None, 30),
        (image_pb2.PRIORITY_BATCH, None, 300),
        (image_pb2.PRIORITY_UNSPECIFIED, 100, 100),
        (image_pb2.PRIORITY_BATCH, 1000, 1000),
    ],
)
async def test_the_callers_deadline_counts_and_the_configured_one_is_for_callers_without(
    backends, open_gateway_with, priority, caller_seconds, expected_seconds
):
    async with open_gateway_with(creation_timeout_seconds=30, job_timeout_seconds=300) as gateway:
        request = creation()
        request.priority = priority
        async for _ in gateway.stub.CreateImage(request, timeout=caller_seconds):
            pass
    assert expected_seconds - 10 < backends.image_generation.remaining_seconds[0] <= expected_seconds


async def test_images_are_compared_by_identifier_and_as_files(backends, gateway):
    backends.similarity.score = 0.25
    image_id = (await events_of(gateway, creation()))[-1].created.image_id
    stored = gateway_pb2.ImageReference(image_id=image_id)
    sent = gateway_pb2.ImageReference(image=media_pb2.Image(content=solid_png(8, 8, (1, 2, 3))))
    same, different = await asyncio.gather(
        gateway.stub.CompareImages(gateway_pb2.CompareImagesRequest(first=stored, second=stored)),
        gateway.stub.CompareImages(gateway_pb2.CompareImagesRequest(first=stored, second=sent)),
    )
    assert (same.score, same.cosine, same.model) == (1.0, 1.0, "scripted-eye")
    assert (different.score, different.cosine) == (0.25, -0.5)


@pytest.mark.parametrize(
    ("first", "reason", "field", "stage"),
    [
        (gateway_pb2.ImageReference(), Reason.MISSING_FIELD, "first", "validation"),
        (gateway_pb2.ImageReference(image_id="../x"), Reason.INVALID_FIELD, "first.image_id", "validation"),
        (
            gateway_pb2.ImageReference(image=media_pb2.Image()),
            Reason.MISSING_FIELD,
            "first.image.content",
            "validation",
        ),
        (
            gateway_pb2.ImageReference(image=media_pb2.Image(content=b"x" * (10 * 1024 * 1024 + 1))),
            Reason.FILE_TOO_LARGE,
            "first.image.content",
            "validation",
        ),
    ],
)
async def test_a_wrong_comparison_is_refused_by_name(gateway, first, reason, field, stage):
    second = gateway_pb2.ImageReference(image=media_pb2.Image(content=b"x"))
    code, error = await failure_of(
        gateway.stub.CompareImages(gateway_pb2.CompareImagesRequest(first=first, second=second))
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is reason
    assert error.violations[0].field == field
    assert error.metadata["stage"] == stage


async def test_an_image_that_is_not_there_is_not_found(gateway):
    unknown = str(uuid.uuid4())
    code, error = await failure_of(gateway.stub.GetImage(gateway_pb2.GetImageRequest(image_id=unknown)))
    assert code is grpc.StatusCode.NOT_FOUND
    assert (error.reason, error.metadata["stage"]) == (Reason.UNKNOWN_IMAGE, "storage")
    reference = gateway_pb2.ImageReference(image_id=unknown)
    code, error = await failure_of(
        gateway.stub.CompareImages(gateway_pb2.CompareImagesRequest(first=reference, second=reference))
    )
    assert code is grpc.StatusCode.NOT_FOUND
    code, error = await failure_of(gateway.stub.GetImage(gateway_pb2.GetImageRequest(image_id="..")))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_recipes_are_listed_the_default_one_first(backends, gateway):
    recipe = (await gateway.stub.ListRecipes(gateway_pb2.ListRecipesRequest())).recipes[0]
    assert (recipe.name, recipe.is_default, recipe.is_available) == ("embedded", True, True)
    assert list(recipe.models) == ["scripted-descriptors", "scripted-embedded"]
    await backends.servers["image-generation"].kill()
    recipe = (await gateway.stub.ListRecipes(gateway_pb2.ListRecipesRequest())).recipes[0]
    assert not recipe.is_available
    assert "image-generation" in recipe.unavailable_reason
