"""The images of a session: request identifiers, files in parts, lists, and whose they are."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import grpc
import numpy as np
import pytest

import chladni_client as chladni
from chladni.errors.v1 import warning_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2

AUDIO = b"RIFF, or so"
IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
OTHER_ID = "5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31"
SESSION_TOKEN = "s-" * 25


async def test_the_attempts_of_a_creation_are_one_request(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    await async_client.create_image(AUDIO)
    one, other = script.requests
    assert one == other
    assert UUID(one.request_id).version == 4


async def test_a_request_identifier_may_be_given(async_client, script):
    await async_client.create_image(AUDIO, request_id=OTHER_ID)
    assert script.requests[0].request_id == OTHER_ID


async def test_calls_of_one_client_are_of_one_session(target, script):
    async with chladni.AsyncClient(target) as client, chladni.AsyncClient(target) as other:
        await client.create_image(AUDIO)
        await client.delete_image(IMAGE_ID)
        await other.list_recipes()
    first, second, third = (metadata["x-session-token"] for metadata in script.metadata)
    assert first == second == client.session_token
    assert third == other.session_token != first
    assert len(first) == 43


def test_a_session_may_be_taken_up_again(target, script):
    with chladni.Client(target, session_token=SESSION_TOKEN) as client:
        assert client.session_token == SESSION_TOKEN
        client.delete_image(IMAGE_ID)
    assert script.metadata[0]["x-session-token"] == SESSION_TOKEN


async def test_the_audio_feature_service_never_sees_the_session(async_client, script):
    await async_client.extract_features(AUDIO)
    assert "x-session-token" not in script.metadata[0]


@pytest.mark.parametrize("token", ["", "t" * 42, "t" * 129, "é" * 43, "t" * 43 + "\n"])
def test_an_odd_session_token_is_refused_and_not_shown(token):
    with pytest.raises(ValueError, match="43 to 128 characters") as caught:
        chladni.AsyncClient(session_token=token)
    assert not token or token not in str(caught.value)
    with pytest.raises(ValueError, match="session_token sets"):
        chladni.AsyncClient(metadata={"x-session-token": "t" * 43})


async def test_a_file_that_is_left_out_is_downloaded(async_client, script, png_of):
    script.leaves_files_out = True
    image = await async_client.get_image(IMAGE_ID)
    assert image.png == png_of()
    assert image.created_at == datetime(2030, 1, 1, tzinfo=UTC)


async def test_a_created_image_without_its_file_is_downloaded(async_client, script, png_of):
    script.events[-1].created.ClearField("file")
    assert (await async_client.create_image(AUDIO)).png == png_of()


async def test_a_download_goes_on_where_the_connection_was_lost(async_client, script, rich_error, png_of):
    script.leaves_files_out = True
    script.error_after = (2, rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    assert (await async_client.get_image(IMAGE_ID)).png == png_of()
    assert [request.offset_bytes for request in script.requests[1:]] == [0, 20]


async def test_images_of_all_pages_are_listed(async_client, script):
    images = [image async for image in async_client.list_images(page_size=2)]
    assert [image.image_id for image in images] == ["1-0", "1-1", "2-0", "2-1"]
    assert [(request.page_size, request.page_token) for request in script.requests] == [(2, ""), (2, "2")]
    image = images[0]
    assert (image.format, image.recipe, image.display_name) == ("png", "descriptors", "voice.wav")
    assert image.provenance.seed == 4_000_000_000
    assert (image.processing_seconds, image.is_reused) == (1.5, True)


async def test_a_page_is_asked_for_only_when_it_is_needed(async_client, script):
    async for _ in async_client.list_images():
        break
    assert len(script.requests) == 1


async def test_the_scores_of_a_matrix_are_an_array(async_client, script):
    matrix = await async_client.compare_image_matrix([IMAGE_ID, OTHER_ID])
    assert matrix.image_ids == (IMAGE_ID, OTHER_ID)
    assert np.asarray(matrix.scores).tolist() == [[1, 0.5], [0.5, 1]]


async def test_like_images_are_found(async_client, script):
    (match,) = await async_client.search_images(IMAGE_ID, 3)
    assert (match.score, match.image.image_id) == (0.75, IMAGE_ID)
    await async_client.search_images(IMAGE_ID)
    assert [request.max_results for request in script.requests] == [3, 0]


async def test_an_image_is_scored_against_audio(async_client, script):
    assert await async_client.score_alignment(IMAGE_ID) == chladni.Alignment(0.5, 0.25, "clap")
    await async_client.score_alignment(IMAGE_ID, audio_of=OTHER_ID)
    assert [request.audio_of for request in script.requests] == ["", OTHER_ID]


async def test_spectrograms_and_live_audio_are_asked_of_the_gateway(target, script, monkeypatch):
    monkeypatch.delenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", raising=False)
    async with chladni.AsyncClient(target) as client:
        spectrogram = await client.render_spectrogram(AUDIO, width_pixels=300)
        assert spectrogram.width_pixels == 300
        events = [event async for event in client.stream_features([b"ab", b"cd"], chladni.PcmFormat(8000))]
        assert [type(event).__name__ for event in events] == ["MelFrames", "MelFrames", "LiveSummary"]
    assert script.gateway_audio_calls == ["RenderSpectrogram", "StreamFeatures"]


async def test_an_audio_feature_service_that_is_named_is_asked(async_client, script):
    await async_client.render_spectrogram(AUDIO)
    assert not script.gateway_audio_calls


async def test_a_server_describes_itself(async_client):
    info = await async_client.server_info()
    assert (info.version, info.api_packages) == ("0.1.0", ("chladni.gateway.v1",))
    assert (info.limits.max_audio_seconds, info.limits.max_matrix_images) == (30, 24)
    assert (info.limits.image_retention_seconds, info.limits.seed) == (86_400, (0, 2**32 - 1))
    assert info.services == (
        chladni.BackendInfo("audio-features", chladni.BackendState.HEALTHY),
        chladni.BackendInfo("similarity", chladni.BackendState.LOADING),
    )


async def test_a_calibration_travels_with_its_recipe(async_client, script):
    await async_client.create_image(AUDIO, recipe="latent-noise", calibration="voices")
    assert script.requests[0].latent_noise.calibration == "voices"


async def test_an_image_may_be_encoded_in_another_format(async_client, script):
    script.events[-1].created.file.content = b"\xff\xd8\xff a JPEG"
    image = await async_client.create_image(AUDIO, image_format="jpeg", quality=80)
    encoding = script.requests[0].options.encoding
    assert (encoding.format, encoding.quality) == (media_pb2.IMAGE_FORMAT_JPEG, 80)
    assert (image.format, image.content) == ("jpeg", b"\xff\xd8\xff a JPEG")
    with pytest.raises(ValueError, match="JPEG file; use its content"):
        assert image.png
    with pytest.raises(chladni.InvalidInputError, match="image_format is 'gif', must be one of png, jpeg"):
        await async_client.create_image(AUDIO, image_format="gif")


async def test_mel_parameters_travel(async_client, script):
    mel = chladni.MelOptions(mel_bin_count=64, max_frequency_hz=4000.0)
    await async_client.render_spectrogram(AUDIO, mel=mel, image_format=chladni.ImageFormat.WEBP)
    await async_client.extract_features(AUDIO, features=[chladni.Feature.LOG_MEL], mel=mel)
    for request in script.requests:
        assert (request.mel.mel_bin_count, request.mel.max_frequency_hz) == (64, 4000)
        assert not request.mel.HasField("fft_size")
    assert script.requests[0].encoding.format == media_pb2.IMAGE_FORMAT_WEBP


async def test_initial_latents_take_the_place_of_audio(async_client, script):
    latents = np.arange(16).reshape(4, 2, 2)
    await async_client.create_image(None, recipe="latent-noise", initial_latents=latents)
    (request,) = script.requests
    assert not request.HasField("audio")
    tensor = request.latent_noise.initial_latents
    assert (tuple(tensor.shape), tensor.dtype) == ((4, 2, 2), tensor_pb2.DATA_TYPE_FLOAT32)
    assert np.frombuffer(tensor.data, "<f4").tolist() == list(range(16))
    with pytest.raises(chladni.InvalidInputError, match="must be an array of numbers"):
        await async_client.create_image(None, recipe="latent-noise", initial_latents=np.array(["a"]))


async def test_warnings_of_answers_are_returned(async_client, script):
    warning = script.events[-1].created.image.warnings.add(
        reason=warning_pb2.WARNING_REASON_TEXT_TRUNCATED, message="Too long.", metadata={"tokens": "90"}
    )
    unknown = script.events[1].analyzed.warnings.add(message="New.")
    unknown.reason = 99
    events = [event async for event in async_client.stream_image(AUDIO)]
    assert events[1].warnings == (chladni.ServerWarning("", "New."),)
    assert events[-1].image.warnings == (
        chladni.ServerWarning("TEXT_TRUNCATED", "Too long.", {"tokens": "90"}),
    )
    assert str(events[-1].image.warnings[0]) == warning.message


async def test_an_image_is_pinned_and_unpinned(async_client, script):
    image_id = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
    assert (await async_client.pin_image(image_id)).is_pinned
    assert not (await async_client.pin_image(image_id, is_pinned=False)).is_pinned
    assert [request.unpin for request in script.requests] == [False, True]


@pytest.mark.parametrize(
    ("name", "number", "content"),
    [("svg", media_pb2.IMAGE_FORMAT_SVG, b"<svg/>"), ("pdf", media_pb2.IMAGE_FORMAT_PDF, b"%PDF-1.4\n")],
)
async def test_a_plate_comes_as_shapes(async_client, script, name, number, content):
    script.events[-1].created.file.content = content
    image = await async_client.create_image(AUDIO, look="plate", image_format=name)
    assert script.requests[0].options.encoding.format == number
    assert image.format == name
    with pytest.raises(ValueError, match=f"{name.upper()} file; use its content"):
        assert image.png
