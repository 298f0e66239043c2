"""Images over gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import uuid

import grpc
import pytest

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2 as service_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import FaultError, InvalidInputError, Reason
from chladni_contract.metadata import CALLER_ID_KEY, REQUEST_ID_KEY, SESSION_TOKEN_KEY
from chladni_contract.status import from_rpc_error
from chladni_fakes import colored_png, families, solid_png

SOUND = b"fLaC sound"


def creation(content=SOUND, *, recipe="", **options):
    audio = media_pb2.AudioClip(content=content, display_name="sound.flac")
    return creation_pb2.CreateImageRequest(
        audio=audio, recipe=recipe, options=generation_pb2.GenerationOptions(**options)
    )


async def events_of(gateway, request):
    return [event async for event in gateway.images.CreateImage(request)]


async def failure_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


async def test_a_recording_becomes_an_image_with_events_on_the_way(gateway):
    request = creation(
        seed=5,
        steps=2,
        guidance_scale=1.5,
        previews=generation_pb2.PreviewOptions(interval_steps=1, size_pixels=16),
    )
    events = await events_of(gateway, request)
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["accepted", "analyzed", "queued", "started", "progress", "progress", "created"]
    assert [event.stage for event in events] == [
        creation_pb2.STAGE_VALIDATION,
        creation_pb2.STAGE_AUDIO_FEATURES,
        *[creation_pb2.STAGE_IMAGE_GENERATION] * 4,
        creation_pb2.STAGE_STORAGE,
    ]
    digest = hashlib.sha256(SOUND).hexdigest()
    assert events[1].analyzed.audio.format == media_pb2.AUDIO_FORMAT_FLAC
    assert events[1].analyzed.audio.sha256 == digest
    assert events[1].analyzed.descriptors[0].name == "loudness"
    assert events[3].started.seed == 5
    assert events[3].started.guidance_scale == 1.5
    assert events[4].progress.preview.width_pixels == 16
    assert events[4].progress.HasField("elapsed")
    assert events[4].progress.HasField("remaining")
    created = events[-1].created
    assert not created.image.reused
    assert created.file.content == colored_png(digest, 5, 512)
    assert created.file.format == media_pb2.IMAGE_FORMAT_PNG
    assert created.image.provenance.recipe == "embedded"
    assert created.image.provenance.library_versions["scripted"] == "1"
    assert created.image.processing_time.ToTimedelta().total_seconds() > 0

    stored = await gateway.images.GetImage(service_pb2.GetImageRequest(image_id=created.image.image_id))
    assert stored.file.content == created.file.content
    assert stored.image.expire_time == created.image.expire_time
    lifetime = stored.image.expire_time.ToDatetime() - stored.image.create_time.ToDatetime()
    assert lifetime.total_seconds() == 86400
    rest = await gateway.http.get(f"/api/v1/images/{created.image.image_id}")
    assert rest.content == created.file.content


async def test_every_field_of_a_request_travels(backends, gateway):
    backends.image_generation.is_reused = True
    request = creation(
        scheduler="DDIMScheduler",
        width_pixels=64,
        height_pixels=32,
        priority=generation_pb2.PRIORITY_BATCH,
        reproducible=False,
        bypass_cache=True,
    )
    created = (await events_of(gateway, request))[-1].created
    assert created.image.reused
    assert not created.image.provenance.reproducible
    assert (created.image.provenance.device_capability, created.image.provenance.decode_batch_size) == (
        "pencil",
        1,
    )
    sent, _ = backends.image_generation.requests[0]
    names = ("scheduler", "width_pixels", "height_pixels", "priority", "reproducible", "bypass_cache")
    assert [getattr(sent.options, name) for name in names] == [
        getattr(request.options, name) for name in names
    ]
    assert sent.options.HasField("reproducible")


async def test_a_request_that_says_nothing_is_interactive_and_exact(backends, gateway):
    await events_of(gateway, creation())
    sent, _ = backends.image_generation.requests[0]
    assert (sent.options.priority, sent.options.reproducible, sent.options.bypass_cache) == (
        generation_pb2.PRIORITY_INTERACTIVE,
        True,
        False,
    )
    assert not sent.options.scheduler
    assert not sent.options.HasField("width_pixels")
    assert not sent.options.HasField("height_pixels")


@pytest.mark.parametrize("trusted", [("127.0.0.1",), ("192.0.2.0/24",)])
async def test_callers_are_told_apart_by_those_who_may_name_them(backends, open_gateway_with, trusted):
    async with open_gateway_with(trusted_peers=trusted) as gateway:
        for metadata in (((CALLER_ID_KEY, "team-a"),), ((CALLER_ID_KEY, "t" * 128),), ()):
            async for _ in gateway.images.CreateImage(creation(), metadata=metadata):
                pass
    callers = [metadata[CALLER_ID_KEY] for _, metadata in backends.image_generation.requests]
    named = ["team-a", "t" * 128] if trusted == ("127.0.0.1",) else ["ipv4:127.0.0.1"] * 2
    assert callers == [*named, "ipv4:127.0.0.1"]


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (creation(b""), Reason.EMPTY_AUDIO, "audio.content"),
        (creation_pb2.CreateImageRequest(), Reason.EMPTY_AUDIO, "audio.content"),
        (creation(b"x" * (10 * 1024 * 1024 + 1)), Reason.FILE_TOO_LARGE, "audio.content"),
        (creation(steps=0), Reason.INVALID_FIELD, "options.steps"),
        (creation(guidance_scale=float("nan")), Reason.INVALID_FIELD, "options.guidance_scale"),
        (creation(recipe="r" * 65), Reason.INVALID_FIELD, "recipe"),
        (creation(scheduler="s" * 65), Reason.INVALID_FIELD, "options.scheduler"),
        (creation(width_pixels=0), Reason.INVALID_FIELD, "options.width_pixels"),
        (creation(height_pixels=4097), Reason.INVALID_FIELD, "options.height_pixels"),
        (creation(priority=7), Reason.INVALID_FIELD, "options.priority"),
        (
            creation(encoding=media_pb2.ImageEncoding(format=7)),
            Reason.INVALID_FIELD,
            "options.encoding.format",
        ),
        (
            creation(encoding=media_pb2.ImageEncoding(format=media_pb2.IMAGE_FORMAT_WEBP, quality=101)),
            Reason.INVALID_FIELD,
            "options.encoding.quality",
        ),
        (
            creation(encoding=media_pb2.ImageEncoding(quality=80)),
            Reason.INVALID_FIELD,
            "options.encoding.quality",
        ),
        (
            creation(previews=generation_pb2.PreviewOptions(interval_steps=1, size_pixels=4)),
            Reason.INVALID_FIELD,
            "options.previews.size_pixels",
        ),
        (
            creation(previews=generation_pb2.PreviewOptions(interval_steps=151)),
            Reason.INVALID_FIELD,
            "options.previews.interval_steps",
        ),
        (
            creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=b"x", display_name="n" * 256)),
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
    call = gateway.images.CreateImage(creation())
    await call.read()
    await eventually(lambda: backends.image_generation.running == 1)
    call.cancel()
    await eventually(lambda: backends.image_generation.cancelled == 1)


async def test_a_client_whose_connection_ends_stops_the_denoising(backends, gateway, eventually):
    backends.image_generation.may_go_on.clear()
    channel = grpc.aio.insecure_channel(gateway.grpc_address)
    call = image_grpc.ImageServiceStub(channel).CreateImage(creation())
    await call.read()
    await eventually(lambda: backends.image_generation.running == 1)
    await channel.close()
    await eventually(lambda: backends.image_generation.cancelled == 1)


async def test_the_callers_deadline_travels_through_all_hops(backends, gateway, eventually):
    backends.image_generation.may_go_on.clear()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in gateway.images.CreateImage(
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
        (generation_pb2.PRIORITY_UNSPECIFIED, None, 30),
        (generation_pb2.PRIORITY_BATCH, None, 300),
        (generation_pb2.PRIORITY_UNSPECIFIED, 100, 100),
        (generation_pb2.PRIORITY_BATCH, 1000, 1000),
    ],
)
async def test_the_callers_deadline_counts_and_the_configured_one_is_for_callers_without(
    backends, open_gateway_with, priority, caller_seconds, expected_seconds
):
    async with open_gateway_with(creation_timeout_seconds=30, job_timeout_seconds=300) as gateway:
        request = creation()
        request.options.priority = priority
        async for _ in gateway.images.CreateImage(request, timeout=caller_seconds):
            pass
    assert expected_seconds - 10 < backends.image_generation.remaining_seconds[0] <= expected_seconds


async def test_images_are_compared_by_identifier_and_as_files(backends, gateway):
    backends.similarity.score = 0.25
    image_id = (await events_of(gateway, creation()))[-1].created.image.image_id
    stored = service_pb2.ImageReference(image_id=image_id)
    sent = service_pb2.ImageReference(file=media_pb2.EncodedImage(content=solid_png(8, 8, (1, 2, 3))))
    same, different = await asyncio.gather(
        gateway.images.CompareImages(service_pb2.CompareImagesRequest(first=stored, second=stored)),
        gateway.images.CompareImages(service_pb2.CompareImagesRequest(first=stored, second=sent)),
    )
    assert (same.score, same.cosine, same.model) == (1.0, 1.0, "scripted-eye")
    assert (different.score, different.cosine) == (0.25, -0.5)


@pytest.mark.parametrize(
    ("first", "reason", "field", "stage"),
    [
        (service_pb2.ImageReference(), Reason.MISSING_FIELD, "first", "validation"),
        (
            service_pb2.ImageReference(image_id="../x"),
            Reason.INVALID_FIELD,
            "first.image_id",
            "validation",
        ),
        (
            service_pb2.ImageReference(file=media_pb2.EncodedImage()),
            Reason.MISSING_FIELD,
            "first.file.content",
            "validation",
        ),
        (
            service_pb2.ImageReference(file=media_pb2.EncodedImage(content=b"x" * (10 * 1024 * 1024 + 1))),
            Reason.FILE_TOO_LARGE,
            "first.file.content",
            "validation",
        ),
    ],
)
async def test_a_wrong_comparison_is_refused_by_name(gateway, first, reason, field, stage):
    second = service_pb2.ImageReference(file=media_pb2.EncodedImage(content=b"x"))
    code, error = await failure_of(
        gateway.images.CompareImages(service_pb2.CompareImagesRequest(first=first, second=second))
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is reason
    assert error.violations[0].field == field
    assert error.metadata["stage"] == stage


async def test_an_image_that_is_not_there_is_not_found(gateway):
    unknown = str(uuid.uuid4())
    code, error = await failure_of(gateway.images.GetImage(service_pb2.GetImageRequest(image_id=unknown)))
    assert code is grpc.StatusCode.NOT_FOUND
    assert (error.reason, error.metadata["stage"]) == (Reason.UNKNOWN_IMAGE, "storage")
    reference = service_pb2.ImageReference(image_id=unknown)
    code, error = await failure_of(
        gateway.images.CompareImages(service_pb2.CompareImagesRequest(first=reference, second=reference))
    )
    assert code is grpc.StatusCode.NOT_FOUND
    code, error = await failure_of(gateway.images.GetImage(service_pb2.GetImageRequest(image_id="..")))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_images_belong_to_their_caller(gateway):
    mine = ((SESSION_TOKEN_KEY, "m" * 43),)
    created = []
    for seed in (1, 2, 3):
        events = [event async for event in gateway.images.CreateImage(creation(seed=seed), metadata=mine)]
        assert not events[0].accepted.session_token
        created.append(events[-1].created.image)
    first = await gateway.images.ListImages(service_pb2.ListImagesRequest(page_size=2), metadata=mine)
    rest = await gateway.images.ListImages(
        service_pb2.ListImagesRequest(page_token=first.next_page_token), metadata=mine
    )
    assert [*first.images, *rest.images] == created[::-1]
    assert (rest.next_page_token, created[0].display_name) == ("", "sound.flac")

    image_id = created[0].image_id
    request = service_pb2.GetImageRequest(image_id=image_id)
    assert (await gateway.images.GetImage(request, metadata=mine)).image == created[0]
    seen_by_others = (await gateway.images.GetImage(request)).image
    assert seen_by_others.sha256 == created[0].sha256
    assert not (seen_by_others.display_name)
    assert not (seen_by_others.descriptors)
    assert not (seen_by_others.HasField("audio"))

    delete = service_pb2.DeleteImageRequest(image_id=image_id)
    _, error = await failure_of(gateway.images.DeleteImage(delete))
    assert error.reason is Reason.UNKNOWN_IMAGE
    await gateway.images.DeleteImage(delete, metadata=mine)
    _, error = await failure_of(gateway.images.GetImage(request))
    assert error.reason is Reason.UNKNOWN_IMAGE


async def test_a_caller_without_a_token_gets_one_to_delete_its_image_with(gateway):
    events = await events_of(gateway, creation())
    token = events[0].accepted.session_token
    image = events[-1].created.image
    assert events[0].accepted.operation_id == image.image_id
    assert (events[0].accepted.seed, image.provenance.seed) == (4711, 4711)
    request = service_pb2.DeleteImageRequest(image_id=image.image_id)
    await gateway.images.DeleteImage(request, metadata=((SESSION_TOKEN_KEY, token),))


async def test_a_page_and_a_program_with_one_token_share_their_images(gateway):
    token = gateway.draw_token()
    async with gateway.browser(cookies={"chladni_session": token}) as browser:
        made = (await browser.post("/api/v1/generate", files={"file": ("a.wav", b"RIFF....WAVE")})).json()
    request = service_pb2.ListImagesRequest()
    listed = await gateway.images.ListImages(request, metadata=((SESSION_TOKEN_KEY, token),))
    assert [image.image_id for image in listed.images] == [made["image_id"]]


async def test_a_retry_is_the_same_request(backends, gateway):
    mine = ((SESSION_TOKEN_KEY, "r" * 43),)
    request = creation()
    request.request_id = str(uuid.uuid4())
    runs = [[event async for event in gateway.images.CreateImage(request, metadata=mine)] for _ in range(2)]
    assert [event.WhichOneof("event") for event in runs[1]] == ["accepted", "created"]
    first, retry = (run[-1].created for run in runs)
    assert (retry.image.image_id, retry.file) == (first.image.image_id, first.file)
    assert (first.image.reused, retry.image.reused) == (False, True)
    assert len(backends.image_generation.requests) == 1
    request.options.steps = 2
    _, error = await failure_of(consume(gateway.images.CreateImage(request, metadata=mine)))
    assert error.reason is Reason.REQUEST_CONFLICT
    request.request_id = "again"
    _, error = await failure_of(consume(gateway.images.CreateImage(request, metadata=mine)))
    assert error.violations[0].field == "request_id"


async def consume(events):
    async for _ in events:
        pass


async def test_a_file_comes_in_parts_from_any_place_on(gateway):
    created = (await events_of(gateway, creation()))[-1].created
    content = created.file.content
    for offset in (0, 1, len(content)):
        request = service_pb2.DownloadImageRequest(image_id=created.image.image_id, offset_bytes=offset)
        parts = [part async for part in gateway.images.DownloadImage(request)]
        assert b"".join(part.content for part in parts) == content[offset:]
        assert parts[0].total_bytes == created.image.size_bytes == len(content)
    for offset in (-1, len(content) + 1):
        request = service_pb2.DownloadImageRequest(image_id=created.image.image_id, offset_bytes=offset)
        _, error = await failure_of(consume(gateway.images.DownloadImage(request)))
        assert error.violations[0].field == "offset_bytes"


async def test_options_belong_to_their_recipe(backends, gateway):
    backends.image_generation.models.append(families.stable_diffusion())
    request = creation()
    request.spectrogram.prompt = "a reef"
    request.spectrogram.strength = 0.5
    image = (await events_of(gateway, request))[-1].created.image
    assert (image.recipe, image.provenance.prompt) == ("spectrogram", "a reef")
    request.recipe = "embedded"
    _, error = await failure_of(events_of(gateway, request))
    assert error.violations[0].field == "spectrogram"
    request.recipe = ""
    request.spectrogram.strength = 2
    _, error = await failure_of(events_of(gateway, request))
    assert error.violations[0].field == "spectrogram.strength"


async def test_images_are_searched_compared_and_aligned(gateway):
    mine = ((SESSION_TOKEN_KEY, "q" * 43),)
    ids = []
    for seed in (1, 2):
        events = [event async for event in gateway.images.CreateImage(creation(seed=seed), metadata=mine)]
        ids.append(events[-1].created.image.image_id)
    request = service_pb2.SearchImagesRequest(image_id=ids[0])
    matches = (await gateway.images.SearchImages(request, metadata=mine)).matches
    assert [match.image.image_id for match in matches] == ids[1:]
    matrix = await gateway.images.CompareImageMatrix(service_pb2.CompareImageMatrixRequest(image_ids=ids))
    assert (list(matrix.image_ids), list(matrix.scores.shape)) == (ids, [2, 2])
    assert struct.unpack("<4f", matrix.scores.data)[::3] == (1.0, 1.0)
    alignment = await gateway.images.ScoreAlignment(
        service_pb2.ScoreAlignmentRequest(image_id=ids[0], audio_of=ids[1]), metadata=mine
    )
    assert 0 <= alignment.score <= 1
    request.max_results = 51
    _, error = await failure_of(gateway.images.SearchImages(request, metadata=mine))
    assert error.violations[0].field == "max_results"
