"""The audio autoencoder over a real loopback connection."""

from __future__ import annotations

import io

import grpc
import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.testing.untrained_autoencoder import write_untrained_autoencoder
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import LoopbackSettings, loopback_service

MODEL = "untrained-autoencoder"
PORTS = {"grpc_port": 0, "metrics_port": 0, "drain_delay_seconds": 0.0, "worker_count": 1, "music": False}


@pytest.fixture
async def channel(tmp_path, request):
    directory = tmp_path / "autoencoder"
    changes = getattr(request, "param", {})
    if changes is not None:
        write_untrained_autoencoder(directory)
    settings = AudioFeaturesSettings.model_validate(PORTS | {"autoencoder": str(directory)} | (changes or {}))
    async with loopback_service(
        compose(settings), service_names=SERVICE_NAMES, settings=LoopbackSettings()
    ) as (_, channel):
        yield channel


@pytest.fixture
def stub(channel):
    return reconstruction_grpc.ReconstructionServiceStub(channel)


@pytest.fixture
def clip(sounds, files):
    return media_pb2.AudioClip(content=files.float_wav(sounds.harmonic(220.0, 6.0)))


def values_of(tensor):
    return to_array(tensor, field="tensor", dtype=np.float32, shape=tuple(tensor.shape))


async def test_a_clip_is_reconstructed(stub, clip):
    response = await stub.ReconstructAudio(reconstruction_pb2.ReconstructAudioRequest(audio=clip))
    rate, samples = wavfile.read(io.BytesIO(response.reconstruction.content))
    assert rate == response.mel_parameters.sample_rate_hz == 16_000
    assert len(samples) == 6 * rate
    sizes = set()
    for image in (response.original_spectrogram, response.reconstructed_spectrogram):
        opened = Image.open(io.BytesIO(image.content))
        sizes.add((opened.format, opened.size, (image.width_pixels, image.height_pixels)))
    assert sizes == {("PNG", (307, 128), (307, 128))}
    assert 0.0 < response.figures.mean_squared_error < 1.0
    assert 0.0 < response.figures.mean_absolute_error < 1.0
    assert 0.0 <= response.figures.cosine <= 1.0
    assert response.figures.perceptual_similarity < 1.0
    assert response.model == MODEL
    assert len(response.model_digest) == 64
    assert response.window.ToTimedelta().total_seconds() == 5.0
    assert response.audio.duration.ToTimedelta().total_seconds() == pytest.approx(6.0)
    assert not response.HasField("latents")
    assert response.processing_time.ToTimedelta().total_seconds() > 0


async def test_only_what_is_asked_for_is_sent(stub, clip):
    request = reconstruction_pb2.ReconstructAudioRequest(
        audio=clip, model=MODEL, outputs=[reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS]
    )
    response = await stub.ReconstructAudio(request)
    assert values_of(response.latents).shape == (20, 128)
    assert not response.HasField("reconstruction")
    assert not response.HasField("original_spectrogram")
    assert response.figures.cosine > 0.0


async def test_the_latents_are_an_embedding(channel, stub, clip):
    latents = await stub.ReconstructAudio(
        reconstruction_pb2.ReconstructAudioRequest(
            audio=clip, outputs=[reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS]
        )
    )
    features = await audio_grpc.AudioFeatureServiceStub(channel).ExtractFeatures(
        audio_pb2.ExtractFeaturesRequest(
            audio=clip, features=[audio_pb2.FEATURE_EMBEDDING], embedding_model=MODEL
        )
    )
    embedding = values_of(features.embedding.values)
    expected = np.average(values_of(latents.latents), axis=0, weights=[16] * 19 + [307 - 19 * 16])
    np.testing.assert_allclose(embedding, expected, atol=1e-6)
    assert features.embedding.space == f"{MODEL}@{latents.model_digest[:12]}"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"outputs": [reconstruction_pb2.RECONSTRUCTION_OUTPUT_UNSPECIFIED]}, "outputs[0]"),
        ({"outputs": [1, 99]}, "outputs[1]"),
        ({"colormap": 7}, "colormap"),
    ],
)
async def test_wrong_fields_are_named(stub, clip, fields, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReconstructAudio(reconstruction_pb2.ReconstructAudioRequest(audio=clip, **fields))
    error = from_rpc_error(caught.value)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]


async def test_other_models_are_unknown(stub, clip):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReconstructAudio(reconstruction_pb2.ReconstructAudioRequest(audio=clip, model="another"))
    assert from_rpc_error(caught.value).reason == Reason.UNKNOWN_MODEL


async def test_audio_above_full_scale_comes_back_within_it(stub, sounds, files):
    content = files.float_wav(20_000.0 * sounds.harmonic(220.0, 1.0))
    response = await stub.ReconstructAudio(
        reconstruction_pb2.ReconstructAudioRequest(
            audio=media_pb2.AudioClip(content=content),
            outputs=[reconstruction_pb2.RECONSTRUCTION_OUTPUT_AUDIO],
        )
    )
    _, samples = wavfile.read(io.BytesIO(response.reconstruction.content))
    assert np.mean(np.abs(samples.astype(int)) >= 32_767) < 0.01


@pytest.mark.parametrize("channel", [{"max_audio_seconds": 60.0}], indirect=True)
async def test_clips_whose_answer_would_be_too_large_are_refused(stub, files):
    content = files.encode(np.zeros(51 * 22_050))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReconstructAudio(
            reconstruction_pb2.ReconstructAudioRequest(audio=media_pb2.AudioClip(content=content))
        )
    error = from_rpc_error(caught.value)
    assert (error.reason, error.metadata["max_seconds"]) == (Reason.AUDIO_TOO_LONG, "50")


@pytest.mark.parametrize("channel", [None], indirect=True)
async def test_a_missing_model_leaves_the_rest_working(channel, stub, clip):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReconstructAudio(reconstruction_pb2.ReconstructAudioRequest(audio=clip))
    error = from_rpc_error(caught.value)
    assert error.reason == Reason.MODEL_UNAVAILABLE
    assert "there is no such directory" in str(error)
    models = await audio_grpc.AudioFeatureServiceStub(channel).ListModels(audio_pb2.ListModelsRequest())
    assert len(models.models) == 1
