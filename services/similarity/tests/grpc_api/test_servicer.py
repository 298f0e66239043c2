"""The service over loopback: every answer and every refusal as a caller sees it."""

from __future__ import annotations

import asyncio

import grpc
import httpx
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array, to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings
from chladni_similarity.composition import SERVICE_NAMES, compose
from chladni_similarity.config import SimilaritySettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service():
    settings = load_settings(
        SimilaritySettings,
        {"CHLADNI_SIMILARITY_TORCH_THREAD_COUNT": "1", "CHLADNI_SIMILARITY_MODELS": "efficientnet-lite0"},
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (running, channel):
        yield running, channel


@pytest.fixture(scope="module")
def stub(service):
    return similarity_grpc.SimilarityServiceStub(service[1])


def encoded_request(*contents, model=""):
    images = [media_pb2.EncodedImage(content=content) for content in contents]
    return similarity_pb2.EmbedImagesRequest(encoded=similarity_pb2.ImageBatch(images=images), model=model)


def raw_request(pixels):
    return similarity_pb2.EmbedImagesRequest(pixels=to_tensor(pixels))


def compare_request(first, second, model=""):
    return similarity_pb2.CompareImagesRequest(
        first=media_pb2.EncodedImage(content=first),
        second=media_pb2.EncodedImage(content=second),
        model=model,
    )


def vectors_of(response):
    return to_array(response.embeddings.values, field="embeddings", dtype=np.float32, shape=(None, 1280))


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


async def test_photographs_are_as_alike_as_they_look(stub, photograph):
    left, right = photograph("motorcycle_left.png"), photograph("motorcycle_right.png")
    pair = await stub.CompareImages(compare_request(left, right))
    assert 0.88 < pair.cosine < 0.98
    assert 0.95 < pair.score < 1
    assert pair.model == "efficientnet-lite0"
    for other in ("coffee.png", "coins.png", "rocket.jpg", "chelsea.png"):
        unrelated = await stub.CompareImages(compare_request(left, photograph(other)))
        assert unrelated.cosine < 0.3
        assert 0.01 < unrelated.score < 0.015


async def test_equal_pixels_score_exactly_one_whatever_the_file(stub, encode, random_image):
    image = random_image(1, 100, 120)
    files = [encode(image), encode(image, compress_level=1), encode(image, "WEBP", lossless=True)]
    # The first is known already when it is compared, from a batch of another size.
    await stub.EmbedImages(encoded_request(files[0], *(encode(random_image(seed)) for seed in (2, 3))))
    for first in files:
        for second in files:
            response = await stub.CompareImages(compare_request(first, second))
            assert response.score == 1.0
            assert response.cosine == 1.0


@settings(max_examples=100, deadline=None)
@given(
    seeds=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
    height=st.integers(1, 64),
    width=st.integers(1, 64),
)
async def test_scores_are_in_range_symmetric_and_one_for_itself(
    stub, encode, random_image, seeds, height, width
):
    first, second = (encode(random_image(seed, height, width)) for seed in seeds)
    there = await stub.CompareImages(compare_request(first, second))
    back = await stub.CompareImages(compare_request(second, first))
    itself = await stub.CompareImages(compare_request(first, first))
    assert 0 <= there.score <= 1
    assert -1 <= there.cosine <= 1
    assert there.score == back.score
    assert there.cosine == back.cosine
    assert itself.score == itself.cosine == 1.0


def matrix_request(rows, columns=None, model=""):
    def batch(contents):
        images = [media_pb2.EncodedImage(content=content) for content in contents]
        return similarity_pb2.ImageBatch(images=images)

    return similarity_pb2.CompareImageMatrixRequest(
        rows=batch(rows), columns=None if columns is None else batch(columns), model=model
    )


async def test_a_matrix_holds_the_score_of_every_comparison(stub, encode, random_image):
    images = [encode(random_image(seed)) for seed in (1, 2, 3, 1)]
    response = await stub.CompareImageMatrix(matrix_request(images))
    assert response.model == "efficientnet-lite0"
    scores = to_array(response.scores, field="scores", dtype=np.float32, shape=(4, 4))
    assert np.array_equal(scores, scores.T)
    assert scores.diagonal().tolist() == [1.0] * 4
    assert scores[0, 3] == 1.0
    for row, column in ((0, 1), (0, 2), (2, 1)):
        comparison = await stub.CompareImages(compare_request(images[row], images[column]))
        assert scores[row, column] == np.float32(comparison.score)


async def test_a_matrix_has_columns_of_its_own_if_the_request_has(stub, encode, random_image):
    images = [encode(random_image(seed)) for seed in range(10, 15)]
    whole = await stub.CompareImageMatrix(matrix_request(images))
    part = await stub.CompareImageMatrix(matrix_request(images[:2], images[1:]))
    scores = to_array(whole.scores, field="scores", dtype=np.float32, shape=(5, 5))
    part_scores = to_array(part.scores, field="scores", dtype=np.float32, shape=(2, 4))
    assert np.array_equal(part_scores, scores[:2, 1:])


@pytest.mark.parametrize(
    ("row_count", "column_count", "field", "complaint"),
    [
        (None, None, "rows", "is missing"),
        (0, None, "rows.images", "from 1 to 64"),
        (65, None, "rows.images", "from 1 to 64"),
        (2, 0, "columns.images", "from 1 to 62"),
        (10, 55, "columns.images", "from 1 to 54"),
        (1, 1, "columns.images[0].content", "PNG, JPEG or WebP"),
    ],
)
async def test_a_wrong_matrix_is_refused_by_field(
    stub, encode, random_image, row_count, column_count, field, complaint
):
    image = encode(random_image(1))
    columns = None if column_count is None else [b"no image"] * column_count
    request = matrix_request([image] * (row_count or 0), columns)
    if row_count is None:
        request.ClearField("rows")
    code, error = await refusal(stub.CompareImageMatrix(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert complaint in error.message


async def test_encoded_images_and_their_pixels_give_the_same_vectors(stub, encode, random_image):
    images = [random_image(seed, 90, 70) for seed in range(20, 23)]
    encoded = await stub.EmbedImages(encoded_request(*map(encode, images)))
    raw = await stub.EmbedImages(raw_request(np.stack(images).transpose(0, 3, 1, 2)))
    assert encoded.embeddings.space == raw.embeddings.space == "chladni-efficientnet-lite0-v1"
    assert encoded.model == raw.model == "efficientnet-lite0"
    assert encoded.embeddings.values.shape == [3, 1280]
    np.testing.assert_allclose(vectors_of(encoded), vectors_of(raw), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors_of(raw), axis=1), 1, atol=1e-6)
    assert (encoded.cached_count, raw.cached_count) == (0, 0)
    assert encoded.processing_time != Duration()


async def test_64_images_in_one_request_are_each_themselves(stub, embedder):
    pixels = np.random.default_rng(64).integers(0, 256, (64, 3, 224, 224), np.uint8)
    vectors = vectors_of(await stub.EmbedImages(raw_request(pixels)))
    assert vectors.shape == (64, 1280)
    for index in (0, 1, 31, 63):
        alone = embedder.embed(pixels[index : index + 1])[0]
        np.testing.assert_allclose(vectors[index], alone / np.linalg.norm(alone), atol=1e-5)


async def test_equal_requests_for_a_batch_of_their_own_give_equal_bits_in_any_company(
    stub, encode, random_image
):
    images = [random_image(seed, 60, 80) for seed in range(200, 205)]
    requests = [
        encoded_request(*map(encode, images)),
        raw_request(np.random.default_rng(5).integers(0, 256, (21, 3, 224, 224), np.uint8)),
    ]
    for request in requests:
        request.own_batch = True
    alone = [await stub.EmbedImages(request) for request in requests]
    companions = [raw_request(np.full((1 + seed, 3, 224, 224), seed, np.uint8)) for seed in range(6)]
    calls = [
        stub.EmbedImages(request) for request in (*companions[:3], *requests, *companions[3:], *requests)
    ]
    answers = await asyncio.gather(*calls)
    for position, expected in ((3, alone[0]), (4, alone[1]), (8, alone[0]), (9, alone[1])):
        assert answers[position].embeddings == expected.embeddings
        assert answers[position].cached_count == 0


async def test_requests_at_once_are_answered_each_with_its_own(stub, encode, embedder, random_image):
    images = [random_image(seed, 60, 80) for seed in range(100, 112)]
    expected = embedder.embed(np.stack([embedder.prepare(image.transpose(2, 0, 1)) for image in images]))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    bad = refusal(stub.EmbedImages(encoded_request(encode(images[0]), b"bad")))
    (code, _), *responses = await asyncio.gather(
        bad, *(stub.EmbedImages(encoded_request(encode(image))) for image in images)
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    for response, vector in zip(responses, expected, strict=True):
        np.testing.assert_allclose(vectors_of(response)[0], vector, atol=1e-5)


async def test_models_are_described(stub):
    response = await stub.ListModels(similarity_pb2.ListModelsRequest())
    (model,) = response.models
    assert model.id == "efficientnet-lite0"
    assert len(model.digest) == 64
    assert response.default_model == model.id
    assert model.state == model_pb2.MODEL_STATE_READY
    assert model.family == "efficientnet-lite0"
    assert list(model.inputs) == [model_pb2.ModelInput(name="image", required=True)]
    abilities = model.embedding
    assert (abilities.output_space, abilities.dimension) == ("chladni-efficientnet-lite0-v1", 1280)
    assert not abilities.input_spaces
    assert abilities.score_curve.slope > 0
    assert not abilities.HasField("alignment_score_curve")


GOOD = "good"
BAD_ENCODED = [
    ([], "encoded.images", Reason.INVALID_FIELD, "from 1 to 64"),
    ([GOOD] * 65, "encoded.images", Reason.INVALID_FIELD, "from 1 to 64"),
    ([GOOD, GOOD, GOOD, b""], "encoded.images[3].content", Reason.MISSING_FIELD, "empty"),
    ([GOOD, b"GIF89a\1\0\1\0"], "encoded.images[1].content", Reason.INVALID_IMAGE, "PNG, JPEG or WebP"),
    ([b"\x89PNG\r\n\x1a\n"], "encoded.images[0].content", Reason.INVALID_IMAGE, "damaged"),
    ([bytes(10 * 2**20 + 1)], "encoded.images[0].content", Reason.FILE_TOO_LARGE, "10485760"),
]


@pytest.mark.parametrize(("contents", "field", "reason", "hint"), BAD_ENCODED)
async def test_bad_encoded_images(stub, encode, random_image, contents, field, reason, hint):
    good = encode(random_image(1))
    request = encoded_request(*(good if content == GOOD else content for content in contents))
    code, error = await refusal(stub.EmbedImages(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is reason
    assert [item.field for item in error.violations] == [field]
    assert hint in error.message


@pytest.mark.parametrize(
    ("shape", "dtype", "byte_count", "field"),
    [
        ((1, 3, 8, 8), tensor_pb2.DATA_TYPE_FLOAT32, 768, "pixels.dtype"),
        ((1, 3, 8, 8), tensor_pb2.DATA_TYPE_UNSPECIFIED, 192, "pixels.dtype"),
        ((1, 3, 8), tensor_pb2.DATA_TYPE_UINT8, 24, "pixels.shape"),
        ((1, 8, 8, 3), tensor_pb2.DATA_TYPE_UINT8, 192, "pixels.shape"),
        ((1, 3, -8, 8), tensor_pb2.DATA_TYPE_UINT8, 192, "pixels.shape"),
        ((1, 3, 2**40, 2**40), tensor_pb2.DATA_TYPE_UINT8, 10, "pixels.data"),
        ((1, 3, 8, 8), tensor_pb2.DATA_TYPE_UINT8, 191, "pixels.data"),
        ((0, 3, 8, 8), tensor_pb2.DATA_TYPE_UINT8, 0, "pixels.shape[0]"),
        ((65, 3, 1, 1), tensor_pb2.DATA_TYPE_UINT8, 195, "pixels.shape[0]"),
        ((1, 3, 0, 8), tensor_pb2.DATA_TYPE_UINT8, 0, "pixels.shape[2]"),
        ((1, 3, 4097, 1), tensor_pb2.DATA_TYPE_UINT8, 3 * 4097, "pixels.shape[2]"),
        ((1, 3, 1, 4097), tensor_pb2.DATA_TYPE_UINT8, 3 * 4097, "pixels.shape[3]"),
    ],
)
async def test_bad_tensors(stub, shape, dtype, byte_count, field):
    tensor = tensor_pb2.Tensor(dtype=dtype, shape=shape, data=bytes(byte_count))
    code, error = await refusal(stub.EmbedImages(similarity_pb2.EmbedImagesRequest(pixels=tensor)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.INVALID_FIELD
    assert [item.field for item in error.violations] == [field]


async def test_a_request_without_images_says_where_to_put_them(stub):
    code, error = await refusal(stub.EmbedImages(similarity_pb2.EmbedImagesRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.MISSING_FIELD
    assert "encoded or pixels" in error.message


async def test_a_comparison_names_every_missing_image(stub, encode, random_image):
    code, error = await refusal(stub.CompareImages(similarity_pb2.CompareImagesRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [item.field for item in error.violations] == ["first", "second"]
    good = encode(random_image(1))
    _, error = await refusal(stub.CompareImages(compare_request(good, b"bad")))
    assert [item.field for item in error.violations] == ["second.content"]
    _, error = await refusal(stub.CompareImages(compare_request(b"", b"bad")))
    assert [item.field for item in error.violations] == ["first.content", "second.content"]


@pytest.mark.parametrize("image_format", [media_pb2.IMAGE_FORMAT_JPEG, media_pb2.IMAGE_FORMAT_WEBP, 77])
async def test_the_bytes_tell_the_format(stub, encode, random_image, image_format):
    content = encode(random_image(1))
    request = compare_request(content, content)
    request.first.format = image_format
    assert (await stub.CompareImages(request)).score == 1


async def test_an_unknown_model_is_not_found(stub, encode, random_image):
    content = encode(random_image(1))
    for call in (
        stub.EmbedImages(encoded_request(content, model="clip")),
        stub.CompareImages(compare_request(content, content, model="../../etc/passwd")),
    ):
        code, error = await refusal(call)
        assert code is grpc.StatusCode.NOT_FOUND
        assert error.reason is Reason.UNKNOWN_MODEL
        assert error.violations[0].field == "model"
        assert "efficientnet-lite0" in error.message


async def test_without_a_model_that_hears_alignment_is_not_offered(stub):
    code, error = await refusal(stub.ScoreAlignment(similarity_pb2.ScoreAlignmentRequest()))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert error.reason is Reason.NOT_IMPLEMENTED
    assert "chladni-alignment" in error.message


async def test_the_service_is_healthy_and_the_metrics_are_prometheus_text(
    service, stub, encode, random_image
):
    running, channel = service
    health = health_pb2_grpc.HealthStub(channel)
    for name in SERVICE_NAMES:
        response = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert response.status == health_pb2.HealthCheckResponse.SERVING
    for _ in range(2):
        await stub.EmbedImages(encoded_request(encode(random_image(999))))
    async with httpx.AsyncClient(verify=False) as client:
        text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
    samples = {
        (sample.name, sample.labels.get("model")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["chladni_embedding_cache_hits_total", "efficientnet-lite0"] >= 1
    assert samples["chladni_embedding_cache_misses_total", "efficientnet-lite0"] >= 1
    assert samples["chladni_embedding_cache_entries", None] >= 1
    assert samples["chladni_embedding_queue_images", None] == 0
    assert samples["chladni_embedding_batch_images_count", None] >= 1
