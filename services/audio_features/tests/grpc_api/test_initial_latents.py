"""Initial latents through the RPC."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.latents.calibration import CalibrationError
from chladni_audio_features.latents.catalog import EMBEDDED_CALIBRATIONS, load_calibrations
from chladni_audio_features.latents.initial_latents import LatentBasis, latent_values
from chladni_audio_features.tools.calibration.files import Calibration, write_calibration
from chladni_audio_features.tools.calibration.moments import Moments
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import loopback_service


@pytest.fixture
def own_calibration(tmp_path):
    moments = Moments.empty(4096)
    for seed in range(4):
        moments = moments.with_vector(np.random.default_rng(seed).random(4096, dtype=np.float32))
    directory = tmp_path / "voices"
    write_calibration(directory, Calibration("voices", LatentBasis.MEL, moments), created_by="a test")
    return directory


def settings_with(**changes):
    ports = {"grpc_port": 0, "metrics_port": 0, "drain_delay_seconds": 0.0, "worker_count": 2}
    return AudioFeaturesSettings.model_validate(ports | changes)


@pytest.fixture
async def stub(own_calibration, processes):
    composed = compose(settings_with(latent_calibrations=str(own_calibration)), processes=processes)
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        yield audio_grpc.AudioFeatureServiceStub(channel)


def latents_request(content, *features, **options):
    return audio_pb2.ExtractFeaturesRequest(
        audio=media_pb2.AudioClip(content=content),
        features=[audio_pb2.FEATURE_INITIAL_LATENTS, *features],
        initial_latents=audio_pb2.InitialLatentsOptions(**options),
    )


def latents_of(response, *shape):
    return to_array(response.initial_latents, field="l", dtype=np.float32, shape=shape)


def scaled_of(transform, samples):
    return log_mel_spectrogram(transform.power_of_clip(samples)).scaled


async def test_latents_by_default(stub, files, sounds, transform, own_calibration):
    """No options: (4, 32, 32), mel, and the operator's own calibration before the embedded ones."""
    samples = sounds.chord(60, 64, 67)
    response = await stub.ExtractFeatures(
        audio_pb2.ExtractFeaturesRequest(
            audio=media_pb2.AudioClip(content=files.encode(samples, subtype="FLOAT")),
            features=[audio_pb2.FEATURE_INITIAL_LATENTS],
        )
    )
    used = response.latent_calibration
    assert (used.name, used.clip_count, used.value_count) == ("voices", 4, 4096)
    assert used.mode == generation_pb2.NOISE_MODE_MEL
    assert len(used.digest) == 64
    values = latent_values(scaled_of(transform, samples), side=64, basis=LatentBasis.MEL)
    mean, deviation = (np.load(own_calibration / name) for name in ("mean.npy", "std.npy"))
    expected = ((values - mean) / deviation).reshape(4, 32, 32)
    np.testing.assert_allclose(latents_of(response, 4, 32, 32), expected, rtol=1e-4, atol=1e-5)
    assert not response.descriptors
    assert not response.HasField("embedding")
    assert not response.HasField("log_mel")


async def test_named_calibrations_shapes_and_bases(stub, files, sounds, transform):
    samples = sounds.harmonic(220)
    scaled = scaled_of(transform, samples)
    content = files.encode(samples, subtype="FLOAT")
    embedded = {calibration.name: calibration for calibration in load_calibrations()}
    for name, shape, basis in [
        ("embedded-mel-4096", (4, 32, 32), LatentBasis.MEL),
        ("embedded-dct-4096", (4, 32, 32), LatentBasis.DCT),
        ("embedded-mel-16384", (4, 64, 64), LatentBasis.MEL),
        ("embedded-dct-16384", (16, 32, 32), LatentBasis.DCT),
    ]:
        mode = generation_pb2.NoiseMode.Value(f"NOISE_MODE_{basis.name}")
        response = await stub.ExtractFeatures(
            latents_request(content, shape=shape, mode=mode, calibration=name)
        )
        assert response.latent_calibration.name == name
        assert response.latent_calibration.digest == embedded[name].digest
        side = int(np.sqrt(np.prod(shape)))
        expected = embedded[name].z_score(latent_values(scaled, side=side, basis=basis)).reshape(shape)
        np.testing.assert_array_equal(latents_of(response, *shape), expected)


async def test_unscaled_latents_beside_other_features(stub, files, sounds, transform):
    samples = sounds.noise(1.0)
    response = await stub.ExtractFeatures(
        latents_request(
            files.encode(samples, subtype="FLOAT"),
            audio_pb2.FEATURE_LOG_MEL,
            audio_pb2.FEATURE_EMBEDDING,
            shape=(4, 64, 64),
            unscaled=True,
        )
    )
    expected = latent_values(scaled_of(transform, samples), side=128, basis=LatentBasis.MEL)
    np.testing.assert_array_equal(latents_of(response, 4, 64, 64).ravel(), expected)
    assert not response.HasField("latent_calibration")
    assert response.HasField("log_mel")
    assert response.HasField("embedding")


@pytest.mark.parametrize("basis", ["MEL", "DCT"])
async def test_silence_is_finite(stub, files, basis):
    mode = generation_pb2.NoiseMode.Value(f"NOISE_MODE_{basis}")
    response = await stub.ExtractFeatures(latents_request(files.encode(np.zeros(22050)), mode=mode))
    assert np.isfinite(latents_of(response, 4, 32, 32)).all()


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"shape": (4, 32)}, ["initial_latents.shape"]),
        ({"shape": (0, 32, 32)}, ["initial_latents.shape"]),
        ({"shape": (-4, -32, 32)}, ["initial_latents.shape"]),
        ({"shape": (3, 32, 32)}, ["initial_latents.shape"]),
        ({"shape": (4, 512, 512)}, ["initial_latents.shape"]),
        ({"shape": (2**31 - 1, 2**31 - 1, 1)}, ["initial_latents.shape"]),
        ({"shape": [1] * 5000}, ["initial_latents.shape"]),
        ({"mode": 9, "shape": (1,)}, ["initial_latents.shape", "initial_latents.mode"]),
        ({"mode": generation_pb2.NOISE_MODE_BLEND}, ["initial_latents.mode"]),
        ({"unscaled": True, "calibration": "voices"}, ["initial_latents.calibration"]),
    ],
)
async def test_faulty_options_name_their_fields(stub, files, options, fields):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ExtractFeatures(latents_request(files.encode(np.zeros(22050)), **options))
    error = from_rpc_error(caught.value)
    assert error.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in error.violations] == fields
    assert len(error.message) < 500


async def test_options_without_the_feature_are_refused(stub, files):
    request = latents_request(files.encode(np.zeros(22050)), shape=(4, 32, 32))
    request.features[:] = [audio_pb2.FEATURE_LOG_MEL]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ExtractFeatures(request)
    error = from_rpc_error(caught.value)
    assert [violation.field for violation in error.violations] == ["initial_latents"]
    assert "FEATURE_INITIAL_LATENTS" in error.message


async def test_shapes_and_names_without_a_calibration_say_what_there_is(stub, files):
    content = files.encode(np.zeros(22050))
    for options in ({"shape": (1, 16, 16)}, {"calibration": "nobody"}):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ExtractFeatures(latents_request(content, **options))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        error = from_rpc_error(caught.value)
        assert error.reason is Reason.UNKNOWN_CALIBRATION
        assert "voices (4096 values, mel)" in error.message


async def test_models_tell_the_calibrations(stub):
    model, autoencoder = (await stub.ListModels(audio_pb2.ListModelsRequest())).models
    assert model.family == "descriptors"
    assert list(model.inputs) == [model_pb2.ModelInput(name="audio", required=True)]
    assert not autoencoder.embedding.latent_calibrations
    listed = model.embedding.latent_calibrations
    assert [item.name for item in listed] == ["voices", *EMBEDDED_CALIBRATIONS]
    for item, calibration in zip(listed[1:], load_calibrations(), strict=True):
        assert (item.digest, item.clip_count) == (calibration.digest, calibration.clip_count)
        assert item.value_count == calibration.value_count
        assert item.mode == generation_pb2.NoiseMode.Value(f"NOISE_MODE_{calibration.basis.name}")


async def test_a_calibration_of_another_digest_stops_the_service(own_calibration):
    composed = compose(settings_with(latent_calibrations=f"{own_calibration}@{'0' * 12}"))
    with pytest.raises(CalibrationError, match="'voices'"):
        async with loopback_service(composed, service_names=SERVICE_NAMES):
            pass
