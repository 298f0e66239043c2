"""Machine listening over loopback: normal sets, scores, and every refusal as a caller sees it."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni_contract.errors import InvalidInputError, NotOfferedError, Reason
from chladni_contract.status import from_rpc_error, trailing_metadata
from chladni_contract.tensors import to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_runtime.models.files import ModelLoadingError
from chladni_runtime.settings import load_settings
from chladni_similarity.anomaly.encoders import EncoderLoader
from chladni_similarity.composition import SERVICE_NAMES, compose
from chladni_similarity.config import SimilaritySettings
from chladni_similarity.grpc_api.anomaly_servicer import AnomalyServicer
from chladni_similarity.images.decoder import ImageDecoder
from chladni_similarity.images.decoding import ImageLimits

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Analyzer(audio_grpc.AudioFeatureServiceServicer):
    """An audio-features service whose machine whistles in clips that begin with W."""

    async def ExtractFeatures(self, request, context):
        content = request.audio.content
        if content == b"noise":
            error = InvalidInputError(Reason.CORRUPT_AUDIO, "It is damaged.", field="audio.content")
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message, trailing_metadata(error))
        if abs(request.audio.start.seconds) > 10**9:
            error = InvalidInputError(Reason.INVALID_FIELD, "It begins too late.", field="audio.start")
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message, trailing_metadata(error))
        bins = request.mel.mel_bin_count
        assert request.mel.max_frequency_hz == 8000
        assert request.mel.sample_rate_hz == 22050
        rng = np.random.default_rng((content[1], bins))
        frames = 1 + 22050 * (30 if content[:1] == b"L" else 10) // request.mel.hop_length
        levels = rng.uniform(0.3, 0.4, (bins, frames)).astype(np.float32)
        levels[bins // 4] = 1.0
        if content[:1] == b"W":
            levels[bins // 2] = 0.8
        return audio_pb2.ExtractFeaturesResponse(log_mel=to_tensor(levels))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target():
    server = grpc.aio.server()
    audio_grpc.add_AudioFeatureServiceServicer_to_server(Analyzer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


def settings_of(**more):
    environ = {"TORCH_THREAD_COUNT": "1", "MODELS": "efficientnet-lite0", "COLLECTIONS": "off", **more}
    return load_settings(
        SimilaritySettings, {f"CHLADNI_SIMILARITY_{name}": value for name, value in environ.items()}
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(target):
    settings = settings_of(AUDIO_FEATURES_TARGET=target)
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield anomaly_grpc.AnomalyServiceStub(channel)


@pytest_asyncio.fixture(loop_scope="module")
async def pump(stub):
    request = anomaly_pb2.CreateNormalSetRequest(
        name="pump", description="the pump", audio=[clip(b"L1"), clip(b"L2")], shaft_speed_hz=25, replace=True
    )
    return (await stub.CreateNormalSet(request)).normal_set


def part(start_seconds):
    return media_pb2.AudioClip(content=b"N1", start=Duration(seconds=start_seconds))


def clip(content):
    return media_pb2.AudioClip(content=content, display_name="pump.wav")


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


async def test_a_minute_makes_a_normal_set(stub, pump):
    assert (pump.name, pump.clip_count, pump.encoder, pump.backend) == ("pump", 2, "mel-statistics", "fusion")
    assert pump.window_count >= 22
    assert pump.audio_duration.ToSeconds() in (59, 60)
    assert pump.shaft_speed_hz == 25
    assert pump.create_time.seconds > 0
    assert (await stub.GetNormalSet(anomaly_pb2.GetNormalSetRequest(name="pump"))).normal_set == pump


async def test_normal_and_faulty_audio_are_labelled(stub, pump):
    normal = await stub.ScoreAnomaly(anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"N9")))
    faulty = await stub.ScoreAnomaly(
        anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"W9"), normal_set="pump", with_error_map=True)
    )
    assert normal.label == anomaly_pb2.ANOMALY_LABEL_NORMAL
    assert normal.score < 9
    assert normal.normal_set == "pump"
    assert not normal.HasField("error_map")
    assert faulty.label == anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY
    assert faulty.score >= 15
    assert faulty.distance > normal.distance
    assert faulty.percentile == 100
    assert faulty.backend == "fusion"
    assert faulty.attributes
    assert all(abs(item.z_score) >= 3 and item.description for item in faulty.attributes)
    assert faulty.error_map.content.startswith(b"\x89PNG")
    assert (faulty.error_map.width_pixels, faulty.error_map.height_pixels) == (224, 224)


@pytest.mark.parametrize("backend", ["mahalanobis", "cosine-knn", "density-knn", "pca-residual"])
async def test_a_request_may_choose_the_backend(stub, pump, backend):
    request = anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"W7"), backend=backend)
    answer = await stub.ScoreAnomaly(request)
    assert answer.backend == backend
    assert answer.label == anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY


async def test_images_make_and_are_judged_by_normal_sets(stub, encode):
    def image(seed, whistle=False):
        pixels = np.random.default_rng(seed).integers(80, 110, (224, 224), np.uint8)
        pixels[100 if whistle else 180] = 255
        return media_pb2.EncodedImage(content=encode(pixels))

    await stub.CreateNormalSet(
        anomaly_pb2.CreateNormalSetRequest(
            name="drawn", spectrograms=[image(seed) for seed in range(12)], backend="mahalanobis"
        )
    )
    scored = [
        await stub.ScoreAnomaly(anomaly_pb2.ScoreAnomalyRequest(spectrogram=item, normal_set="drawn"))
        for item in (image(50), image(51, whistle=True))
    ]
    assert [item.label for item in scored] == [
        anomaly_pb2.ANOMALY_LABEL_NORMAL,
        anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY,
    ]
    assert scored[0].backend == "mahalanobis"
    found = (await stub.GetNormalSet(anomaly_pb2.GetNormalSetRequest(name="drawn"))).normal_set
    assert not found.HasField("audio_duration")
    assert not found.HasField("shaft_speed_hz")
    await stub.DeleteNormalSet(anomaly_pb2.DeleteNormalSetRequest(name="drawn"))


async def test_long_images_are_decoded_where_they_can_be_left(stub, pump, encode, monkeypatch):
    asked = []
    decode = ImageDecoder.decode

    def seen(self, token, content, *arguments, **keywords):
        asked.append(token)
        return decode(self, token, content, *arguments, **keywords)

    monkeypatch.setattr(ImageDecoder, "decode", seen)
    image = media_pb2.EncodedImage(content=encode(np.zeros((224, 224), np.uint8)))
    await stub.ScoreAnomaly(anomaly_pb2.ScoreAnomalyRequest(spectrogram=image, normal_set="pump"))
    assert asked


async def test_an_encoder_that_cannot_be_loaded_is_named(stub, monkeypatch):
    def load(self, name, weights):
        raise ModelLoadingError("Its weights are not there.")

    monkeypatch.setattr(EncoderLoader, "__call__", load)
    code, error = await refusal(
        stub.CreateNormalSet(anomaly_pb2.CreateNormalSetRequest(name="new", audio=[clip(b"L1")]))
    )
    assert (code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, Reason.MODEL_UNAVAILABLE)
    assert "mel-statistics cannot be loaded" in error.message


async def test_normal_sets_are_listed_by_page_and_deleted(stub, pump):
    create = anomaly_pb2.CreateNormalSetRequest(name="fan", audio=[clip(b"L3")])
    await stub.CreateNormalSet(create)
    first = await stub.ListNormalSets(anomaly_pb2.ListNormalSetsRequest(page_size=1))
    second = await stub.ListNormalSets(
        anomaly_pb2.ListNormalSetsRequest(page_size=1, page_token=first.next_page_token)
    )
    assert [item.name for item in (*first.normal_sets, *second.normal_sets)] == ["fan", "pump"]
    assert not second.next_page_token
    code, error = await refusal(stub.CreateNormalSet(create))
    assert (code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, Reason.NORMAL_SET_EXISTS)
    request = anomaly_pb2.DeleteNormalSetRequest(name="fan")
    assert (await stub.DeleteNormalSet(request)).deleted
    assert not (await stub.DeleteNormalSet(request)).deleted


@pytest.mark.parametrize(
    ("request_message", "field"),
    [
        (anomaly_pb2.ScoreAnomalyRequest(), "source"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=media_pb2.AudioClip()), "audio.content"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"N1"), backend="best"), "backend"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"N1"), normal_set="../x"), "normal_set"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"N1"), shaft_speed_hz=0), "shaft_speed_hz"),
        (anomaly_pb2.ScoreAnomalyRequest(spectrogram=media_pb2.EncodedImage(content=b"GIF")), "spectrogram"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"noise")), "audio.content"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=part(2**63 - 1)), "audio.start"),
        (anomaly_pb2.ScoreAnomalyRequest(audio=part(-(2**63))), "audio.start"),
    ],
)
async def test_wrong_questions_are_refused(stub, pump, request_message, field):
    code, error = await refusal(stub.ScoreAnomaly(request_message))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.violations[0].field.startswith(field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "../../etc"}, "name"),
        ({"audio": []}, "audio"),
        ({"audio": [clip(b"noise")]}, "audio[0].content"),
        ({"audio": [clip(b"L1")] * 65}, "audio"),
        ({"encoder": "autoencoder"}, "encoder"),
        ({"backend": "best"}, "backend"),
        ({"description": "x" * 501}, "description"),
    ],
)
async def test_wrong_normal_sets_are_refused(stub, changes, field):
    request = anomaly_pb2.CreateNormalSetRequest(**{"name": "new", "audio": [clip(b"L1")], **changes})
    code, error = await refusal(stub.CreateNormalSet(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.violations[0].field == field


async def test_an_unknown_normal_set_is_not_found(stub, pump):
    code, error = await refusal(
        stub.ScoreAnomaly(anomaly_pb2.ScoreAnomalyRequest(audio=clip(b"N1"), normal_set="saw"))
    )
    assert (code, error.reason) == (grpc.StatusCode.NOT_FOUND, Reason.UNKNOWN_NORMAL_SET)
    assert "pump" in error.message


async def test_without_audio_features_only_images_are_taken():
    async with loopback_service(compose(settings_of()), service_names=SERVICE_NAMES) as (_, channel):
        stub = anomaly_grpc.AnomalyServiceStub(channel)
        code, error = await refusal(
            stub.CreateNormalSet(anomaly_pb2.CreateNormalSetRequest(name="x", audio=[clip(b"L1")]))
        )
        assert (code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, Reason.NOT_IMPLEMENTED)
        assert "AUDIO_FEATURES_TARGET" in error.message


async def test_a_server_may_be_told_not_to_judge_machines():
    servicer = AnomalyServicer(None, limits=ImageLimits())
    with pytest.raises(NotOfferedError, match="NORMAL_SETS"):
        await servicer.ListNormalSets(anomaly_pb2.ListNormalSetsRequest(), context=None)
