"""Fields of the calls on collections: each wrong one is named with its limit, and limits are taken."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_one_bad_image_keeps_all_out(stub, coloured, refusal, build):
    items = [build.item(str(index), coloured(index, 0, 9)) for index in range(5)]
    items[3].image.content = b"\x89PNG\r\n\x1a\n and then nothing"
    code, error = await refusal(stub.UpsertImages(build.add("bad-image", *items)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.INVALID_IMAGE
    assert [violation.field for violation in error.violations] == ["images[3].image.content"]
    code, error = await refusal(stub.SearchImages(build.search("bad-image", coloured(0, 0, 9))))
    assert code is grpc.StatusCode.NOT_FOUND
    assert error.violations[0].field == "collection"
    assert "UpsertImages" in error.message


async def test_however_much_is_wrong_the_error_stays_within_what_grpc_carries(stub, coloured, build):
    no_image = media_pb2.EncodedImage(content=b"no image")
    nothing_right = similarity_pb2.CollectionImage(id="not good" * 20, metadata={"text": "x" * 16_400})
    calls = [
        (stub.UpsertImages(build.add("", *(build.item(f"{n}", no_image) for n in range(64)))), 10),
        (stub.UpsertImages(build.add("n o", *[nothing_right] * 64)), 21),
        (stub.DeleteImages(similarity_pb2.DeleteImagesRequest(collection="n o", ids=["n/o"] * 1000)), 6),
    ]
    for call, violation_count in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert len(from_rpc_error(caught.value).violations) == violation_count
        metadata = caught.value.trailing_metadata()
        size = len(caught.value.details()) + sum(len(key) + len(value) for key, value in metadata)
        assert size < 8000


@pytest.mark.parametrize(
    ("method", "request_of", "field", "complaint"),
    [
        ("UpsertImages", lambda build, image: build.add("x"), "images", "must be from 1 to 64"),
        (
            "UpsertImages",
            lambda build, image: build.add("x", *(build.item(str(number), image) for number in range(65))),
            "images",
            "is 65 images",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("a/b", build.item("a", image)),
            "collection",
            "1 to 64 letters",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("x" * 65, build.item("a", image)),
            "collection",
            "1 to 64",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("x", build.item("", image)),
            "images[0].id",
            "1 to 128 letters",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("x", build.item("a\n", image)),
            "images[0].id",
            "1 to 128",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("x", build.item("a" * 129, image)),
            "images[0].id",
            "1 to 128",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("x", build.item("a", None)),
            "images[0].image",
            "is missing",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add(
                "x", build.item("a", image), build.item("b", image), build.item("a", image)
            ),
            "images[2].id",
            "the same as images[0].id",
        ),
        (
            "UpsertImages",
            lambda build, image: build.add("x", build.item("a", image, {"text": "x" * 16_400})),
            "images[0].metadata",
            "to 16384 bytes",
        ),
        (
            "SearchImages",
            lambda build, image: build.search("default", None),
            "query",
            "set image, audio, id or embedding",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_among("x", image, [str(number) for number in range(1001)]),
            "candidate_ids",
            "must be from 0 to 1000",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_among("x", image, ["a", "b", "a"]),
            "candidate_ids[2]",
            "the same as candidate_ids[0]",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_among("x", image, ["a b"]),
            "candidate_ids[0]",
            "1 to 128",
        ),
        ("SearchImages", lambda build, image: build.search("a b", image), "collection", "1 to 64"),
        ("SearchImages", lambda build, image: build.search("", image, 101), "page_size", "from 1 to 100"),
        ("SearchImages", lambda build, image: build.search("", image, -1), "page_size", "is -1 neighbours"),
        (
            "SearchImages",
            lambda build, image: build.search_by(min_score=-0.1, image=image),
            "min_score",
            "from 0 to 1",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_by(min_score=float("nan"), image=image),
            "min_score",
            "nan",
        ),
        ("SearchImages", lambda build, image: build.search_by(id="a b"), "id", "1 to 128"),
        ("SearchImages", lambda build, image: build.search_by(id=""), "id", "1 to 128"),
        (
            "SearchImages",
            lambda build, image: build.search_by(image=image, page_token="x"),
            "page_token",
            "no token of",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_by_vector("other", [1, 0, 0]),
            "embedding.space",
            "must be colours-v1",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_by_vector("colours-v1", [1, 0]),
            "embedding.values.shape",
            "(3)",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_by_vector("colours-v1", [0, 0, 0]),
            "embedding.values",
            "zeros",
        ),
        (
            "SearchImages",
            lambda build, image: build.search_by_vector("colours-v1", [np.nan, 0, 0]),
            "embedding.values.data",
            "NaN",
        ),
        (
            "ListImages",
            lambda build, _: similarity_pb2.ListImagesRequest(page_size=1001),
            "page_size",
            "1 to 1000",
        ),
        (
            "ListImages",
            lambda build, _: similarity_pb2.ListImagesRequest(page_size=-9),
            "page_size",
            "is -9 images",
        ),
        (
            "ListImages",
            lambda build, _: similarity_pb2.ListImagesRequest(page_token="é"),
            "page_token",
            "no token",
        ),
        (
            "ListImages",
            lambda build, _: similarity_pb2.ListImagesRequest(collection="a b"),
            "collection",
            "1 to 64",
        ),
        (
            "ListCollections",
            lambda build, _: similarity_pb2.ListCollectionsRequest(page_size=-1),
            "page_size",
            "from 1 to 1000",
        ),
        (
            "ListCollections",
            lambda build, _: similarity_pb2.ListCollectionsRequest(page_token="AAAA"),
            "page_token",
            "no token",
        ),
        (
            "GetCollection",
            lambda build, _: similarity_pb2.GetCollectionRequest(collection="é"),
            "collection",
            "64",
        ),
        (
            "DeleteCollection",
            lambda build, _: similarity_pb2.DeleteCollectionRequest(),
            "collection",
            "is missing",
        ),
        (
            "DeleteCollection",
            lambda build, _: similarity_pb2.DeleteCollectionRequest(collection="a/b"),
            "collection",
            "1 to 64",
        ),
        (
            "SearchImages",
            lambda build, image: similarity_pb2.SearchImagesRequest(audio=similarity_pb2.AudioQuery()),
            "audio",
            "is missing",
        ),
        (
            "SearchImages",
            lambda build, image: build.search("", media_pb2.EncodedImage()),
            "image.content",
            "",
        ),
        ("DeleteImages", lambda build, image: similarity_pb2.DeleteImagesRequest(), "ids", "from 1 to 1000"),
        (
            "DeleteImages",
            lambda build, image: similarity_pb2.DeleteImagesRequest(ids=["a", "é"]),
            "ids[1]",
            "1 to 128",
        ),
    ],
)
async def test_a_wrong_field_is_named_with_its_limit(
    stub, coloured, method, request_of, field, complaint, refusal, build
):
    code, error = await refusal(getattr(stub, method)(request_of(build, coloured(1, 2, 3))))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert complaint in error.violations[0].description


async def test_identifiers_and_metadata_at_their_limits_are_taken(stub, coloured, build, ids_of):
    text = "x" * (16 * 1024 - 16)
    image_id = "aZ09._-" + "x" * 121
    added = build.item(image_id, coloured(1, 2, 3), {"t": text})
    assert 16_380 <= added.metadata.ByteSize() <= 16_384
    await stub.UpsertImages(build.add("a" * 64, added))
    assert ids_of(await stub.SearchImages(build.search("a" * 64, coloured(1, 2, 3)))) == [image_id]
