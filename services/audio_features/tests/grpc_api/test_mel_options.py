"""Mel parameters and image encodings of a request."""

from __future__ import annotations

import io

import grpc
import librosa
import numpy as np
import pytest
import pytest_asyncio
import soxr
from PIL import Image

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import loopback_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLAPS = {
    "sample_rate_hz": 48000,
    "fft_size": 1024,
    "hop_length": 480,
    "mel_bin_count": 64,
    "min_frequency_hz": 50.0,
    "max_frequency_hz": 14000.0,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(processes):
    ports = {"grpc_port": 0, "metrics_port": 0, "drain_delay_seconds": 0.0, "worker_count": 1}
    composed = compose(AudioFeaturesSettings.model_validate(ports), processes=processes)
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        yield audio_grpc.AudioFeatureServiceStub(channel)


def mel_request(content, **options):
    return audio_pb2.ExtractFeaturesRequest(
        audio=media_pb2.AudioClip(content=content),
        features=[audio_pb2.FEATURE_LOG_MEL],
        mel=audio_pb2.MelOptions(**options),
    )


def image_request(content, **fields):
    return audio_pb2.RenderSpectrogramRequest(audio=media_pb2.AudioClip(content=content), **fields)


async def log_mel(stub, content, **options):
    response = await stub.ExtractFeatures(mel_request(content, **options))
    return to_array(
        response.log_mel, field="m", dtype=np.float32, shape=(None, None)
    ), response.mel_parameters


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_parameters_give_librosas_spectrogram(stub, files, sounds):
    samples = sounds.chord(60, 64, 67) + sounds.noise(2.0, amplitude=0.01)
    found, parameters = await log_mel(stub, files.encode(samples, subtype="FLOAT"), **CLAPS)
    power = librosa.feature.melspectrogram(
        y=soxr.resample(samples, 22050, 48000, quality="HQ"),
        sr=48000,
        n_fft=1024,
        hop_length=480,
        n_mels=64,
        fmin=50.0,
        fmax=14000.0,
    )
    decibels = librosa.power_to_db(power, ref=np.max)
    assert found.shape == decibels.shape == (64, 201)
    np.testing.assert_allclose(80 * found - 80, decibels, atol=2e-4)
    assert {name: getattr(parameters, name) for name in CLAPS} == CLAPS


async def test_what_is_not_said_is_as_for_embeddings(stub, files, sounds):
    content = files.encode(sounds.noise(1.0))
    expected, parameters = await log_mel(stub, content)
    assert expected.shape == (128, 44)
    defaults = {
        "sample_rate_hz": 22050,
        "fft_size": 2048,
        "hop_length": 512,
        "mel_bin_count": 128,
        "min_frequency_hz": 0.0,
        "max_frequency_hz": 11025.0,
    }
    assert {name: getattr(parameters, name) for name in defaults} == defaults
    assert np.array_equal((await log_mel(stub, content, **defaults))[0], expected)
    small, parameters = await log_mel(stub, content, fft_size=256)
    assert (parameters.hop_length, small.shape) == (256, (128, 87))


@pytest.mark.parametrize("frame_count", [8, 44, 500])
async def test_frames_are_resampled(stub, files, sounds, frame_count):
    content = files.encode(sounds.noise(1.0))
    expected, _ = await log_mel(stub, content)
    found, _ = await log_mel(stub, content, frame_count=frame_count)
    assert found.shape == (128, frame_count)
    np.testing.assert_allclose(found.mean(), expected.mean(), atol=0.01)
    if frame_count == 44:
        assert np.array_equal(found, expected)


async def test_other_features_stay_as_they_are(stub, files, sounds):
    content = files.encode(sounds.harmonic(220))
    everything = [1, 2, 3, 4]
    plain = audio_pb2.ExtractFeaturesRequest(audio=media_pb2.AudioClip(content=content), features=everything)
    changed = mel_request(content, **CLAPS)
    changed.features[:] = everything
    first, second = await stub.ExtractFeatures(plain), await stub.ExtractFeatures(changed)
    assert first.log_mel != second.log_mel
    for response in (first, second):
        for field in ("log_mel", "mel_parameters", "processing_time"):
            response.ClearField(field)
    assert first == second


LIMITS = [
    ("sample_rate_hz", 8000, 48_000),
    ("fft_size", 128, 8192),
    ("hop_length", 32, 2048),
    ("mel_bin_count", 8, 512),
    ("min_frequency_hz", 0, 11025),
    ("max_frequency_hz", 0, 11025),
    ("frame_count", 8, 8192),
]


@pytest.mark.parametrize(("name", "minimum", "maximum"), LIMITS)
async def test_each_parameter_has_its_range(stub, files, name, minimum, maximum):
    content = files.encode(np.zeros(22050))
    wrong = [minimum - 1, maximum + 1, -(2**31), 2**31 - 1]
    if "frequency" in name:
        wrong += [float("nan"), float("inf")]
    for value in wrong:
        for call in (
            stub.ExtractFeatures(mel_request(content, **{name: value})),
            stub.RenderSpectrogram(image_request(content, mel=audio_pb2.MelOptions(**{name: value}))),
        ):
            error = await refusal(call)
            assert error.reason is Reason.INVALID_FIELD
            assert {violation.field for violation in error.violations} == {f"mel.{name}"}
            assert f"from {minimum:g} to {maximum:g}" in error.message.replace("e+04", "0000")


async def test_parameters_at_their_limits_are_taken(stub, files, sounds):
    content = files.encode(sounds.noise(0.1))
    for name, minimum, maximum in LIMITS:
        for value in (minimum, maximum):
            if (name, value) in (("min_frequency_hz", 11025), ("max_frequency_hz", 0)):
                continue  # they leave no range
            options = {"mel_bin_count": 64, name: value} if name == "frame_count" else {name: value}
            found, parameters = await log_mel(stub, content, **options)
            assert np.isfinite(found).all()
            if name == "frame_count":
                assert found.shape[1] == value
            else:
                assert getattr(parameters, name) == value


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"fft_size": 256, "hop_length": 257}, ["mel.hop_length"]),
        ({"sample_rate_hz": 8000, "max_frequency_hz": 4000.5}, ["mel.max_frequency_hz"]),
        ({"min_frequency_hz": 500.0, "max_frequency_hz": 500.0}, ["mel.max_frequency_hz"]),
        ({"sample_rate_hz": 8000, "min_frequency_hz": 4000.0}, ["mel.min_frequency_hz"]),
        ({"fft_size": 0, "mel_bin_count": 0}, ["mel.fft_size", "mel.mel_bin_count"]),
    ],
)
async def test_parameters_that_do_not_go_together_are_refused(stub, files, options, fields):
    error = await refusal(stub.ExtractFeatures(mel_request(files.encode(np.zeros(22050)), **options)))
    assert [violation.field for violation in error.violations] == fields


async def test_a_spectrogram_that_no_client_takes_is_refused(stub, files):
    content = files.encode(np.zeros(30 * 8000), 8000)
    error = await refusal(stub.ExtractFeatures(mel_request(content, hop_length=32)))
    assert [violation.field for violation in error.violations] == ["mel"]
    assert "128 x 20672 cells, at most 1000000" in error.message
    error = await refusal(stub.ExtractFeatures(mel_request(content, mel_bin_count=512, frame_count=8192)))
    assert "512 x 8192" in error.message
    found, _ = await log_mel(stub, content, hop_length=32, frame_count=1000)
    assert found.shape == (128, 1000)
    far_too_fine = {"sample_rate_hz": 48000, "hop_length": 32, "mel_bin_count": 512}
    for call in (
        stub.ExtractFeatures(mel_request(content, frame_count=8, **far_too_fine)),
        stub.RenderSpectrogram(image_request(content, mel=audio_pb2.MelOptions(**far_too_fine))),
    ):
        assert "at most 16000000" in (await refusal(call)).message


async def test_options_without_the_feature_are_refused(stub, files):
    request = mel_request(files.encode(np.zeros(22050)), fft_size=1024)
    request.features[:] = [audio_pb2.FEATURE_EMBEDDING]
    error = await refusal(stub.ExtractFeatures(request))
    assert [violation.field for violation in error.violations] == ["mel"]
    assert "FEATURE_LOG_MEL" in error.message


async def test_images_show_the_spectrogram_asked_for(stub, files, sounds):
    content = files.encode(sounds.tone(3000, 1.0))
    rows = []
    for top_hz in (4000.0, 11025.0):
        mel = audio_pb2.MelOptions(max_frequency_hz=top_hz, mel_bin_count=64)
        response = await stub.RenderSpectrogram(
            image_request(content, mel=mel, colormap=audio_pb2.COLORMAP_GRAY)
        )
        assert response.mel_parameters.max_frequency_hz == top_hz
        assert response.mel_parameters.mel_bin_count == 64
        with Image.open(io.BytesIO(response.image.content)) as image:
            gray = np.asarray(image)[:, 256, 0]
        centres_hz = librosa.mel_frequencies(n_mels=66, fmax=top_hz)[1:-1]
        expected_row = 512 * (1 - (np.abs(centres_hz - 3000).argmin() + 0.5) / 64)
        assert gray.argmax() == pytest.approx(expected_row, abs=10)
        rows.append(gray.argmax())
    assert rows[0] < rows[1] - 50
    response = await stub.RenderSpectrogram(image_request(content))
    assert response.mel_parameters.fft_size == 2048


@pytest.mark.parametrize(
    ("image_format", "name"),
    [
        (media_pb2.IMAGE_FORMAT_UNSPECIFIED, "PNG"),
        (media_pb2.IMAGE_FORMAT_PNG, "PNG"),
        (media_pb2.IMAGE_FORMAT_JPEG, "JPEG"),
        (media_pb2.IMAGE_FORMAT_WEBP, "WEBP"),
    ],
)
async def test_images_are_encoded_as_asked_for(stub, files, sounds, image_format, name):
    content = files.encode(sounds.noise(1.0))

    async def image_of(**options):
        encoding = media_pb2.ImageEncoding(format=image_format, **options)
        return (await stub.RenderSpectrogram(image_request(content, encoding=encoding))).image

    default = await image_of()
    assert default.format == media_pb2.ImageFormat.Value(f"IMAGE_FORMAT_{name}")
    with Image.open(io.BytesIO(default.content)) as image:
        assert (image.format, image.size) == (name, (512, 512))
    if name == "PNG":
        return
    assert await image_of(quality=90) == default
    assert len((await image_of(quality=1)).content) < len(default.content)
    assert len((await image_of(quality=100)).content) > len(default.content)


@pytest.mark.parametrize(
    ("encoding", "fields"),
    [
        ({"format": 9}, ["encoding.format"]),
        ({"quality": 90}, ["encoding.quality"]),
        ({"format": media_pb2.IMAGE_FORMAT_PNG, "quality": 90}, ["encoding.quality"]),
        ({"format": media_pb2.IMAGE_FORMAT_JPEG, "quality": 0}, ["encoding.quality"]),
        ({"format": media_pb2.IMAGE_FORMAT_WEBP, "quality": 101}, ["encoding.quality"]),
        ({"format": media_pb2.IMAGE_FORMAT_WEBP, "quality": -1}, ["encoding.quality"]),
        ({"format": 9, "quality": -1}, ["encoding.format", "encoding.quality"]),
    ],
)
async def test_faulty_encodings_name_their_fields(stub, files, encoding, fields):
    request = image_request(files.encode(np.zeros(22050)), encoding=media_pb2.ImageEncoding(**encoding))
    request.width_pixels = -512
    error = await refusal(stub.RenderSpectrogram(request))
    assert [violation.field for violation in error.violations] == ["width_pixels", *fields]
