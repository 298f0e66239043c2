"""The asynchronous client against a scripted server on loopback."""

from __future__ import annotations

import asyncio
import io
import re
import struct
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID

import pytest
from grpc_health.v1 import health_pb2

import chladni_client as chladni
from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.generation.v1 import generation_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract import tensors

IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
AUDIO = b"RIFF, or so"


async def events_of(client, **parameters):
    return [event async for event in client.stream_image(AUDIO, **parameters)]


async def test_events_arrive_in_order_and_typed(async_client):
    events = await events_of(async_client)
    assert [type(event).__name__ for event in events] == [
        "Accepted", "AudioAnalyzed", "Queued", "Queued", "Started", "Progress", "Progress", "ImageCreated",
    ]  # fmt: skip
    accepted, analyzed, waiting, _, started, first, second, _ = events
    assert accepted == chladni.Accepted(IMAGE_ID, 4_000_000_000, "t" * 43)
    assert accepted.session_token not in repr(accepted)
    assert analyzed.audio == chladni.AudioProperties("flac", 44100, 2, 3.25, "ab" * 32)
    assert [item.name for item in analyzed.descriptors] == ["brightness", "flatness"]
    assert analyzed.descriptors[0].position == 0.25
    assert waiting.position == 1
    assert started == chladni.Started(4_000_000_000, 2, "embedded", 3.1)
    assert first == chladni.Progress(1, 2, b"\xff\xd8jpeg", 0.25, 0.5)
    assert second == chladni.Progress(2, 2, None, 0.75, None)


async def test_a_created_image_carries_everything(async_client, script, tmp_path):
    image = await async_client.create_image(AUDIO)
    assert image.image_id == IMAGE_ID
    assert (image.width_pixels, image.height_pixels) == (1, 1)
    assert image.seed == image.provenance.seed == 4_000_000_000
    assert image.provenance.guidance_scale == 3.1
    assert image.provenance.reproducible
    assert (image.provenance.device_capability, image.provenance.decode_batch_size) == ("AVX512", 4)
    assert image.is_reused
    assert image.provenance.library_versions == {"torch": "2.13.0", "diffusers": "0.42.1"}
    assert image.audio.sample_rate_hz == 44100
    assert len(image.descriptors) == 2
    assert image.processing_seconds == 1.5
    assert image.expires_at == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    path = image.save(tmp_path / "image.png")
    assert path.read_bytes() == image.png == script.events[-1].created.file.content
    assert "content" not in repr(image)
    assert not script.was_cancelled.is_set()


async def test_what_is_not_chosen_does_not_travel(async_client, script):
    await async_client.create_image(AUDIO)
    (request,) = script.requests
    assert request.audio.content == AUDIO
    assert not request.recipe
    for field in ("seed", "steps", "guidance_scale", "previews", "width_pixels", "height_pixels"):
        assert not request.options.HasField(field)
    assert not request.options.scheduler
    assert request.WhichOneof("recipe_options") is None
    assert (request.options.priority, request.options.reproducible, request.options.bypass_cache) == (
        generation_pb2.PRIORITY_INTERACTIVE, True, False,
    )  # fmt: skip


async def test_what_is_chosen_travels(async_client, script):
    await events_of(
        async_client,
        recipe="clap",
        seed=0,
        steps=150,
        guidance_scale=1.0,
        scheduler="DDIMScheduler",
        width_pixels=256,
        height_pixels=384,
        priority=chladni.Priority.BATCH,
        reproducible=False,
        bypass_cache=True,
        preview_interval_steps=3,
        preview_size_pixels=128,
    )
    (request,) = script.requests
    assert request.recipe == "clap"
    options = request.options
    assert options.HasField("seed")
    assert (options.seed, options.steps, options.guidance_scale) == (0, 150, 1.0)
    assert (options.scheduler, options.width_pixels, options.height_pixels) == ("DDIMScheduler", 256, 384)
    assert options.priority == generation_pb2.PRIORITY_BATCH
    assert options.HasField("reproducible")
    assert (options.reproducible, options.bypass_cache) == (False, True)
    assert (options.previews.interval_steps, options.previews.size_pixels) == (3, 128)


async def test_the_chosen_part_of_the_audio_travels(async_client, script):
    await async_client.create_image(AUDIO, start_seconds=61.25, end_seconds=90)
    (request,) = script.requests
    assert request.audio.start.ToMilliseconds() == 61_250
    assert request.audio.end.ToMilliseconds() == 90_000
    for wrong in (-1, float("nan"), 1e9):
        with pytest.raises(chladni.InvalidInputError, match="end_seconds is"):
            await async_client.create_image(AUDIO, end_seconds=wrong)


async def test_create_image_sends_what_stream_image_sends(async_client, script):
    chosen = {
        "recipe": "clap",
        "seed": 7,
        "steps": 3,
        "guidance_scale": 1.2345678901234567,
        "scheduler": "DDIMScheduler",
        "width_pixels": 256,
        "height_pixels": 384,
        "priority": "batch",
        "reproducible": False,
        "bypass_cache": True,
    }
    await async_client.create_image(AUDIO, **chosen)
    await events_of(async_client, **chosen)
    one, other = script.requests
    assert UUID(one.request_id) != UUID(other.request_id)
    other.request_id = one.request_id
    assert one == other
    assert one.options.guidance_scale == 1.2345678901234567


async def test_who_calls_is_told_with_every_call_of_the_gateway(target, script):
    async with chladni.AsyncClient(target, caller_id="nightly") as client:
        await client.create_image(AUDIO)
        await client.list_recipes()
    async with chladni.AsyncClient(target) as client:
        await client.create_image(AUDIO)
    assert [metadata.get("x-caller-id") for metadata in script.metadata] == ["nightly", "nightly", None]


@pytest.mark.parametrize("caller_id", ["x" * 129, "té", "a\nb", "\x7f"])
def test_an_odd_caller_is_refused(caller_id):
    with pytest.raises(ValueError, match="caller_id must have at most 128"):
        chladni.AsyncClient(caller_id=caller_id)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("step", "; did you mean 'steps'?"),
        ("guidance", "; did you mean 'guidance_scale'?"),
        ("preview_interval_steps", ""),
        ("zzz", ""),
    ],
)
async def test_a_misspelt_option_is_named_with_its_function(async_client, client, script, option, hint):
    message = f"^create_image\\(\\) got an unexpected option '{option}'{re.escape(hint)}$"
    with pytest.raises(TypeError, match=message):
        await async_client.create_image(AUDIO, **{option: 1})
    with pytest.raises(TypeError, match=message):
        client.create_image(AUDIO, **{option: 1})
    if option != "preview_interval_steps":
        with pytest.raises(TypeError, match=message.replace("create", "stream")):
            await events_of(async_client, **{option: 1})
    assert not script.requests


async def test_an_unknown_priority_is_refused(async_client, script):
    with pytest.raises(ValueError, match="urgent"):
        await async_client.create_image(AUDIO, priority="urgent")
    assert not script.requests


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"steps": -3}, "steps"),
        ({"width_pixels": -1}, "width_pixels"),
        ({"height_pixels": 2**31}, "height_pixels"),
    ],
)
async def test_numbers_that_cannot_travel_are_refused_before_the_call(
    async_client, script, parameters, field
):
    with pytest.raises(chladni.InvalidInputError, match=field) as caught:
        await async_client.create_image(AUDIO, **parameters)
    assert caught.value.violations[0].field == field
    assert not script.requests


async def test_a_recording_may_be_a_path_a_text_or_an_open_file(async_client, script, tmp_path):
    path = tmp_path / "voice.wav"
    path.write_bytes(AUDIO)
    await async_client.create_image(path)
    await async_client.create_image(str(path))
    with path.open("rb") as file:
        await async_client.create_image(file)
    await async_client.create_image(io.BytesIO(AUDIO))
    assert [request.audio.content for request in script.requests] == [AUDIO] * 4
    names = [request.audio.display_name for request in script.requests]
    assert names == ["voice.wav", "voice.wav", "voice.wav", ""]


async def test_a_missing_file_raises_the_error_that_python_raises(async_client, script, tmp_path):
    with pytest.raises(FileNotFoundError):
        await async_client.create_image(tmp_path / "missing.wav")
    assert not script.requests


async def test_a_huge_file_is_refused_before_the_call(async_client, script, tmp_path):
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(40 * 1024 * 1024)
    with pytest.raises(chladni.InvalidInputError, match="32 MiB") as caught:
        await async_client.create_image(path)
    assert caught.value.reason == "FILE_TOO_LARGE"
    assert not script.requests


async def test_a_message_larger_than_the_server_takes_is_the_files_fault(async_client):
    with pytest.raises(chladni.InvalidInputError, match="choose a part of it") as caught:
        await async_client.create_image(bytes(2 * 1024 * 1024))
    assert caught.value.reason == "FILE_TOO_LARGE"


async def test_images_are_compared_by_identifier_path_bytes_and_result(async_client, script, tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(b"first")
    image = await async_client.create_image(AUDIO)
    script.requests.clear()
    comparison = await async_client.compare_images(IMAGE_ID, path)
    await async_client.compare_images(str(path), b"second")
    await async_client.compare_images(image, io.BytesIO(b"third"))
    assert comparison == chladni.Comparison(0.25, -0.5, "tower")
    one, two, three = script.requests
    assert one.first.image_id == IMAGE_ID
    assert one.second.file.content == two.first.file.content == b"first"
    assert two.second.file.content == b"second"
    assert three.first.file.content == image.png
    assert three.second.file.content == b"third"


async def test_an_image_is_fetched(async_client, script, tmp_path):
    image = await async_client.get_image(IMAGE_ID)
    assert script.requests[0].image_id == image.image_id == IMAGE_ID
    assert image.created_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert image.expires_at is None
    assert image.save(tmp_path / "image.png").read_bytes() == image.png


async def test_recipes_are_listed(async_client):
    default, other = await async_client.list_recipes()
    assert default == chladni.Recipe(
        "descriptors", "Descriptors decide the image.", True, "", True, ("embedded",)
    )
    assert not other.is_available
    assert "CLAP weights" in other.unavailable_reason


async def test_a_spectrogram_is_drawn(async_client, script):
    spectrogram = await async_client.render_spectrogram(
        AUDIO, width_pixels=300, height_pixels=100, colormap=chladni.Colormap.GRAY
    )
    assert (spectrogram.width_pixels, spectrogram.height_pixels) == (300, 100)
    assert spectrogram.png.startswith(b"\x89PNG")
    assert spectrogram.audio.format == "flac"
    (request,) = script.requests
    assert request.colormap == audio_pb2.COLORMAP_GRAY
    await async_client.render_spectrogram(AUDIO)
    assert not script.requests[1].HasField("width_pixels")


async def test_features_are_extracted(async_client, script):
    features = await async_client.extract_features(AUDIO, features=list(chladni.Feature))
    assert features.descriptors[1] == chladni.Descriptor("flatness", 0.5, "1", 0.0, 1.0, "Noise-likeness.")
    assert features.embedding == chladni.Embedding(
        "chladni-descriptors-v2", (0.25, 0.75), ("loudness", "dynamics")
    )
    assert features.log_mel.shape == (2, 2)
    assert features.log_mel.values == (0.0, 0.5, 1.0, 0.0)
    assert features.processing_seconds == 0.02
    only = await async_client.extract_features(AUDIO, features=[chladni.Feature.DESCRIPTORS])
    assert (only.embedding, only.log_mel) == (None, None)
    assert list(script.requests[1].features) == [audio_pb2.FEATURE_DESCRIPTORS]


@pytest.mark.parametrize(
    ("dtype", "code", "values"),
    [
        ("<f4", "f", (0.5, -2.0)),
        ("<f2", "e", (0.5, -2.0)),
        ("|u1", "B", (0, 255)),
        ("<i2", "h", (-32768, 7)),
        ("<i8", "q", (-(2**40), 7)),
    ],
)
def test_tensors_of_every_type_give_python_numbers(dtype, code, values):
    tensor = chladni.Tensor(dtype, (2,), struct.pack(f"<2{code}", *values))
    assert tensor.values == values


async def test_an_unknown_element_type_is_the_servers_fault(async_client, monkeypatch):
    monkeypatch.delitem(tensors._DTYPES, tensor_pb2.DATA_TYPE_FLOAT32)
    with pytest.raises(chladni.FaultError, match="unknown to this client"):
        await async_client.extract_features(AUDIO)


async def test_health_tells_serving_from_not_serving_from_unreachable(target, health):
    async with chladni.AsyncClient(target, audio_features_target="127.0.0.1:1") as client:
        gateway, audio_features = await client.health()
        assert gateway == chladni.ServiceHealth("gateway", target, chladni.ServiceState.SERVING)
        assert audio_features.state is chladni.ServiceState.UNREACHABLE
        health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        gateway, _ = await client.health()
        assert gateway.state is chladni.ServiceState.NOT_SERVING


async def test_leaving_the_loop_cancels_the_work(async_client, script):
    script.stops_after = 6
    async with aclosing(async_client.stream_image(AUDIO)) as events:
        async for event in events:
            if isinstance(event, chladni.Started):
                break
    assert await asyncio.to_thread(script.was_cancelled.wait, 10)


async def test_cancelling_the_task_cancels_the_work(async_client, script):
    script.stops_after = 6
    has_started = asyncio.Event()

    async def follow():
        async for event in async_client.stream_image(AUDIO):
            if isinstance(event, chladni.Started):
                has_started.set()

    task = asyncio.create_task(follow())
    await has_started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(script.was_cancelled.wait, 10)


async def test_closing_the_client_ends_its_calls_with_an_error(target, script):
    script.stops_after = 0
    client = chladni.AsyncClient(target)
    call = asyncio.create_task(client.compare_images(b"1", b"2"))
    stream = asyncio.create_task(events_of(client))
    while len(script.requests) < 2:
        await asyncio.sleep(0.01)
    await client.close()
    for task in (call, stream):
        with pytest.raises(chladni.CallCancelledError):
            await task
    with pytest.raises(RuntimeError, match="closed"):
        await client.list_recipes()


async def test_targets_come_from_the_environment_where_none_is_given(target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    async with chladni.AsyncClient() as client:
        assert await client.list_recipes()
        assert await client.extract_features(AUDIO)


async def test_the_default_targets_are_on_this_machine(monkeypatch):
    monkeypatch.delenv("CHLADNI_CLIENT_TARGET", raising=False)
    monkeypatch.delenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", raising=False)
    async with chladni.AsyncClient() as client:
        targets = [service.target for service in await client.health()]
    assert targets == ["localhost:50050", "localhost:50051"]


async def test_many_calls_run_at_once_on_one_client(async_client):
    images = await asyncio.gather(*(async_client.create_image(AUDIO) for _ in range(6)))
    assert len(images) == 6
