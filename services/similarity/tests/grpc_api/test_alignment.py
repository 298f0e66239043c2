"""Sounds and images over loopback: ScoreAlignment, with embeddings and with recordings."""

from __future__ import annotations

import asyncio

import grpc
import numpy as np
import pytest
import pytest_asyncio

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.score_curve import AlikenessDistribution, ScoreCurve
from chladni_contract.status import from_rpc_error, trailing_metadata
from chladni_contract.tensors import to_array, to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings
from chladni_similarity.composition import SERVICE_NAMES, compose
from chladni_similarity.config import SimilaritySettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPACE = "chladni-descriptors-v2"


class Analyzer(audio_grpc.AudioFeatureServiceServicer):
    """An audio-features service that embeds a recording by the numbers of its bytes."""

    def __init__(self):
        self.space = SPACE
        self.size = 152
        self.requests = []
        self.metadata = []
        self.remaining_seconds = None
        self.delay_seconds = 0.0

    async def ExtractFeatures(self, request, context):
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining_seconds = context.time_remaining()
        await asyncio.sleep(self.delay_seconds)
        if request.audio.content == b"noise":
            error = InvalidInputError(Reason.CORRUPT_AUDIO, "It is damaged.", field="audio.content")
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message, trailing_metadata(error))
        if request.audio.content == b"crash":
            raise RuntimeError("secret")
        content = request.audio.content or request.audio.pcm.samples
        values = np.frombuffer(content, np.uint8)[: self.size].astype(np.float32) / 255
        return audio_pb2.ExtractFeaturesResponse(
            embedding=tensor_pb2.Embedding(space=self.space, values=to_tensor(values))
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def analyzing():
    analyzer = Analyzer()
    server = grpc.aio.server()
    audio_grpc.add_AudioFeatureServiceServicer_to_server(analyzer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield analyzer, f"127.0.0.1:{port}"
    await server.stop(None)


def settings_of(alignment_directory, **more):
    environ = {"TORCH_THREAD_COUNT": "1", "MODELS": f"efficientnet-lite0,{alignment_directory}", **more}
    return load_settings(
        SimilaritySettings, {f"CHLADNI_SIMILARITY_{name}": value for name, value in environ.items()}
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(alignment_directory, analyzing):
    settings = settings_of(alignment_directory, AUDIO_FEATURES_TARGET=analyzing[1])
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield similarity_grpc.SimilarityServiceStub(channel)


@pytest.fixture
def analyzer(analyzing):
    analyzing[0].__init__()
    return analyzing[0]


@pytest.fixture(scope="module")
def pairs(make_pairs):
    return {name: values.numpy() for name, values in make_pairs(12, seed=77).items()}


def embedded(vector, space=SPACE):
    values = to_tensor(np.asarray(vector, np.float32))
    return similarity_pb2.AudioQuery(embedding=tensor_pb2.Embedding(space=space, values=values))


def recorded(content):
    return similarity_pb2.AudioQuery(clip=media_pb2.AudioClip(content=content, display_name="a door.wav"))


def request_of(audio, pixels, encode, model=""):
    image = media_pb2.EncodedImage(content=encode(np.moveaxis(pixels, 0, -1)))
    return similarity_pb2.ScoreAlignmentRequest(audio=audio, image=image, model=model)


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


async def test_images_fit_their_own_sounds_best(stub, encode, pairs):
    scores = np.empty((12, 12))
    for row, sound in enumerate(pairs["sounds"]):
        for column, image in enumerate(pairs["images"]):
            response = await stub.ScoreAlignment(request_of(embedded(sound), image, encode))
            assert 0 <= response.score <= 1
            assert -1 <= response.cosine <= 1
            assert response.model == "my-alignment"
            scores[row, column] = response.score
    own, others = scores.diagonal(), scores[~np.eye(12, dtype=bool)]
    assert own.mean() > others.mean() + 0.3
    assert (own > 0.5).mean() > (others > 0.5).mean()


async def test_the_cosine_is_that_of_the_two_towers(stub, encode, pairs, aligner_model):
    heard = aligner_model.embed_audio(pairs["sounds"][:1])[0]
    seen = aligner_model.embed(pairs["images"][:1])[0]
    expected = heard @ seen / np.linalg.norm(heard) / np.linalg.norm(seen)
    request = request_of(embedded(pairs["sounds"][0]), pairs["images"][0], encode, model="my-alignment")
    response = await stub.ScoreAlignment(request)
    assert response.cosine == pytest.approx(expected, abs=1e-5)
    assert response.score == aligner_model.alignment_score_map.score_of(response.cosine)


async def test_a_recording_scores_as_its_embedding(stub, encode, pairs, analyzer):
    content = bytes(np.random.default_rng(1).integers(0, 256, 152, np.uint8))
    vector = np.frombuffer(content, np.uint8).astype(np.float32) / 255
    by_recording = await stub.ScoreAlignment(
        request_of(recorded(content), pairs["images"][0], encode),
        timeout=20,
        metadata=(("x-request-id", "request-77"),),
    )
    by_embedding = await stub.ScoreAlignment(request_of(embedded(vector), pairs["images"][0], encode))
    assert by_recording == by_embedding
    (request,) = analyzer.requests
    assert request.audio.display_name == "a door.wav"
    assert list(request.features) == [audio_pb2.FEATURE_EMBEDDING]
    assert analyzer.metadata[0]["x-request-id"] == "request-77"
    assert 0 < analyzer.remaining_seconds < 25  # gRPC rounds up what is on the wire; without one it were 30


async def test_what_is_wrong_with_a_recording_is_passed_on_with_its_place_in_this_request(
    stub, encode, pairs, analyzer
):
    code, error = await refusal(
        stub.ScoreAlignment(request_of(recorded(b"noise"), pairs["images"][0], encode))
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.CORRUPT_AUDIO
    assert [item.field for item in error.violations] == ["audio.clip.content"]
    assert error.metadata["field"] == "audio.clip.content"


@pytest.mark.parametrize("encoding", [media_pb2.PCM_ENCODING_FLOAT32, 77])
async def test_samples_are_passed_on_as_they_are(stub, encode, pairs, analyzer, encoding):
    pcm = media_pb2.PcmAudio(samples=bytes(152), sample_rate_hz=-5, channel_count=2)
    pcm.encoding = encoding
    query = similarity_pb2.AudioQuery(clip=media_pb2.AudioClip(pcm=pcm, display_name="a door"))
    await stub.ScoreAlignment(request_of(query, pairs["images"][0], encode))
    (request,) = analyzer.requests
    assert request.audio == query.clip


async def test_a_fault_of_the_other_service_says_no_more_than_that(stub, encode, pairs, analyzer):
    code, error = await refusal(
        stub.ScoreAlignment(request_of(recorded(b"crash"), pairs["images"][0], encode))
    )
    assert code is grpc.StatusCode.INTERNAL
    assert "audio-features" in error.message
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("change", "complaint"), [({"space": "old"}, "another version"), ({"size": 24}, "used")]
)
async def test_an_embedding_of_another_kind_is_a_fault(stub, encode, pairs, analyzer, change, complaint):
    vars(analyzer).update(change)
    request = request_of(recorded(bytes(152)), pairs["images"][0], encode)
    code, error = await refusal(stub.ScoreAlignment(request))
    assert code is grpc.StatusCode.INTERNAL
    assert complaint in error.message


async def test_the_callers_deadline_ends_the_analysis(stub, encode, pairs, analyzer):
    analyzer.delay_seconds = 30
    request = request_of(recorded(bytes(152)), pairs["images"][0], encode)
    code, _ = await refusal(stub.ScoreAlignment(request, timeout=0.5))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_unreachable_service_is_unavailable(alignment_directory, encode, pairs):
    settings = settings_of(alignment_directory, AUDIO_FEATURES_TARGET="127.0.0.1:1")
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = similarity_grpc.SimilarityServiceStub(channel)
        request = request_of(recorded(bytes(152)), pairs["images"][0], encode)
        code, error = await refusal(stub.ScoreAlignment(request, timeout=20))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert error.reason is Reason.BACKEND_UNAVAILABLE
    assert "127.0.0.1" not in error.message


async def test_without_audio_features_recordings_are_not_taken(alignment_directory, encode, pairs):
    settings = settings_of(alignment_directory)
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = similarity_grpc.SimilarityServiceStub(channel)
        image = pairs["images"][0]
        code, error = await refusal(stub.ScoreAlignment(request_of(recorded(b"RIFF"), image, encode)))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "audio.embedding" in error.message
        assert "CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET" in error.message
        assert (await stub.ScoreAlignment(request_of(embedded(np.zeros(152)), image, encode))).model


GOOD = np.full(152, 0.5, np.float32)


@pytest.mark.parametrize(
    ("audio", "field", "hint"),
    [
        (similarity_pb2.AudioQuery(), "audio", "audio.clip or audio.embedding"),
        (recorded(b""), "audio.clip.content", "WAV"),
        (similarity_pb2.AudioQuery(clip=media_pb2.AudioClip()), "audio.clip.content", "audio.clip.pcm"),
        (embedded(GOOD, "chladni-descriptors-v1"), "audio.embedding.space", SPACE),
        (embedded(GOOD[:24]), "audio.embedding.values.shape", "(152)"),
        (embedded(GOOD[None]), "audio.embedding.values.shape", "(152)"),
        (embedded(GOOD * 2.1), "audio.embedding.values", "1.05 at position 0"),
        (
            embedded(np.where(np.arange(152) == 7, -0.01, 0.5)),
            "audio.embedding.values",
            "-0.01 at position 7",
        ),
        (embedded(GOOD * np.nan), "audio.embedding.values.data", "NaN"),
    ],
)
async def test_a_sound_that_is_none_is_refused(stub, encode, pairs, audio, field, hint):
    code, error = await refusal(stub.ScoreAlignment(request_of(audio, pairs["images"][0], encode)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [item.field for item in error.violations] == [field]
    assert hint in error.message


async def test_whatever_else_is_wrong_is_named(stub, encode, pairs):
    code, error = await refusal(stub.ScoreAlignment(similarity_pb2.ScoreAlignmentRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert {item.field for item in error.violations} == {"image", "audio"}
    request = request_of(embedded(GOOD), pairs["images"][0], encode)
    request.image.content = b"bad"
    _, error = await refusal(stub.ScoreAlignment(request))
    assert [item.field for item in error.violations] == ["image.content"]
    request = request_of(embedded(GOOD), pairs["images"][0], encode, model="efficientnet-lite0")
    code, error = await refusal(stub.ScoreAlignment(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [item.field for item in error.violations] == ["model"]
    assert "takes no audio; use my-alignment" in error.message
    request.model = "clip"
    code, error = await refusal(stub.ScoreAlignment(request))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_the_model_compares_and_embeds_images_as_well(stub, encode, pairs):
    contents = [encode(np.moveaxis(image, 0, -1)) for image in pairs["images"][:2]]
    images = [media_pb2.EncodedImage(content=content) for content in contents]
    same = await stub.CompareImages(
        similarity_pb2.CompareImagesRequest(first=images[0], second=images[0], model="my-alignment")
    )
    assert same.score == same.cosine == 1.0
    request = similarity_pb2.EmbedImagesRequest(
        encoded=similarity_pb2.ImageBatch(images=images), model="my-alignment"
    )
    response = await stub.EmbedImages(request)
    vectors = to_array(response.embeddings.values, field="values", dtype=np.float32, shape=(2, 256))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert response.embeddings.space.startswith("chladni-alignment-")


async def test_embeddings_come_with_the_curve_that_makes_scores_of_their_cosines(stub, encode, pairs):
    contents = [encode(np.moveaxis(image, 0, -1)) for image in pairs["images"][:2]]
    images = [media_pb2.EncodedImage(content=content) for content in contents]
    request = similarity_pb2.EmbedImagesRequest(encoded=similarity_pb2.ImageBatch(images=images))
    embedded_images = await stub.EmbedImages(request)
    message = embedded_images.score_curve
    unlike, like = (
        AlikenessDistribution(part.mean, part.deviation, tuple(part.quantiles))
        for part in (message.unlike, message.like)
    )
    curve = ScoreCurve(message.midpoint, message.slope, unlike, like)
    compared = await stub.CompareImages(
        similarity_pb2.CompareImagesRequest(first=images[0], second=images[1])
    )
    assert curve.score_of(compared.cosine) == compared.score
    request.model = "my-alignment"  # of whose images no pairs were measured
    assert not (await stub.EmbedImages(request)).HasField("score_curve")


async def test_models_say_what_they_take_and_what_their_scores_mean(stub):
    models = (await stub.ListModels(similarity_pb2.ListModelsRequest())).models
    assert [model.id for model in models] == ["efficientnet-lite0", "my-alignment"]
    assert [list(model.embedding.input_spaces) for model in models] == [[], [SPACE]]
    assert [[item.name for item in model.inputs] for model in models] == [["image"], ["image", "audio"]]
    assert [model.embedding.HasField("score_curve") for model in models] == [True, False]
    assert [model.embedding.HasField("alignment_score_curve") for model in models] == [False, True]
    assert models[0].properties["score"].startswith("calibrated: 0.5 at the cosine 0.")
    assert models[1].properties["score"].startswith("not calibrated")
    assert models[1].properties["alignment_score"].startswith("calibrated")
