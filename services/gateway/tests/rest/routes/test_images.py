"""Images and their comparison over REST."""

from __future__ import annotations

import uuid

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chladni_contract.errors import InvalidInputError, Reason
from chladni_fakes import solid_png

EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def created_ids(gateway, count=2):
    return [(await gateway.create(f"RIFF {number}".encode())).json()["image_id"] for number in range(count)]


async def compare(gateway, first, second):
    return await gateway.http.post("/api/v1/compare", json={"image_id_1": first, "image_id_2": second})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), color=st.tuples(*[st.integers(0, 255)] * 3))
async def test_every_stored_image_is_served_as_the_png_that_was_made(backends, gateway, seed, color):
    """Feature: voice-to-image-system, Property 16: Image URL Accessibility, Property 17: Image Headers."""
    content = solid_png(32, 32, color)
    backends.image_generation.draw = lambda _digest, _seed, _size: content
    body = (await gateway.create(seed=str(seed))).json()
    response = await gateway.http.get(body["image_url"])
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert response.content == content
    assert int(response.headers["content-length"]) == len(content)


async def test_an_image_may_be_cached_for_as_long_as_it_is_kept(gateway):
    [image_id] = await created_ids(gateway, 1)
    url = f"/api/v1/images/{image_id}"
    response = await gateway.http.get(url)
    caching = response.headers["cache-control"]
    assert "immutable" in caching
    assert 86000 < int(caching.split("max-age=")[1].split(",")[0]) <= 86400
    etag = response.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        repeated = await gateway.http.get(url, headers={"If-None-Match": known})
        assert (repeated.status_code, repeated.content) == (304, b"")
        assert repeated.headers["etag"] == etag
    changed = await gateway.http.get(url, headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200
    head = await gateway.http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(response.content))


async def test_an_unknown_image_is_not_found(gateway, error_of):
    response = await gateway.http.get(f"/api/v1/images/{uuid.uuid4()}")
    assert response.status_code == 404
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("UNKNOWN_IMAGE", "storage")


@EXAMPLES
@given(
    text=st.one_of(
        st.text(alphabet="./\\~%;0123456789abcdef-", min_size=1, max_size=40),
        st.uuids().map(lambda value: f"{value}.png"),
        st.uuids().map(lambda value: f"../images/{value}"),
    ).filter(lambda text: set(text) - {".", "/"})
)
async def test_an_identifier_with_path_characters_is_refused_by_name(gateway, error_of, text):
    quoted = "".join(f"%{byte:02X}" for byte in text.encode())
    response = await gateway.http.get(f"/api/v1/images/{quoted}")
    assert response.status_code == 400
    assert error_of(response)["message"].startswith("image_id")
    response = await compare(gateway, text, str(uuid.uuid4()))
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("INVALID_FIELD", "validation")
    assert error["message"].startswith("image_id_1")


async def test_an_image_equals_itself(gateway):
    [image_id] = await created_ids(gateway, 1)
    response = await compare(gateway, image_id, image_id)
    assert response.status_code == 200
    assert response.json() == {
        "score": 1.0,
        "percentage": "100%",
        "level": "high",
        "cosine": 1.0,
        "model": "scripted-eye",
    }


@EXAMPLES
@given(score=st.floats(0, 1))
@example(score=0.294)
@example(score=0.296)
@example(score=0.704)
@example(score=0.706)
async def test_every_score_is_in_range_and_told_as_a_percentage(backends, gateway, two_ids, score):
    backends.similarity.score = score
    body = (await compare(gateway, *two_ids)).json()
    assert 0 <= body["score"] <= 1
    assert body["score"] == pytest.approx(score)
    percent = int(body["percentage"].removesuffix("%"))
    assert abs(percent - 100 * score) <= 0.5 + 1e-6
    assert -1 <= body["cosine"] <= 1
    assert body["level"] == ("low" if percent < 30 else "medium" if percent <= 70 else "high")


@pytest_asyncio.fixture(loop_scope="session")
async def two_ids(gateway):
    return await created_ids(gateway)


async def test_an_unknown_image_cannot_be_compared(gateway, error_of, two_ids):
    response = await compare(gateway, two_ids[0], str(uuid.uuid4()))
    assert response.status_code == 404
    assert error_of(response)["code"] == "UNKNOWN_IMAGE"


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b'{"image_id_1": "a"}', "MISSING_FIELD", "image_id_2"),
        (b"{}", "MISSING_FIELD", "image_id_1"),
        (b'{"image_id_1": 1, "image_id_2": "b"}', "INVALID_FIELD", "image_id_1"),
        (b'{"image_id_1": "a", "image_id_2": "b", "image_id_3": "c"}', "INVALID_FIELD", "image_id_3"),
        (b"[]", "INVALID_FIELD", "body"),
        (b"{", "INVALID_FIELD", "body"),
        (b"\xff\xfe", "INVALID_FIELD", "body"),
        (b"", "MISSING_FIELD", "body"),
        (b'{"a": "' + b"x" * 70_000 + b'"}', "MESSAGE_TOO_LARGE", "65536 bytes"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(gateway, error_of, content, code, words):
    response = await gateway.http.post(
        "/api/v1/compare", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == (413 if code == "MESSAGE_TOO_LARGE" else 400)
    error = error_of(response)
    assert (error["code"], error["stage"]) == (code, "validation")
    assert words in error["message"]


async def test_a_failing_comparison_is_the_stage_similarity(backends, gateway, error_of, two_ids):
    backends.similarity.error = InvalidInputError(Reason.INVALID_FIELD, "first is odd.", field="first")
    response = await compare(gateway, *two_ids)
    assert response.status_code == 400
    assert error_of(response)["stage"] == "similarity"
