"""Matrices, search and spectrograms over REST."""

from __future__ import annotations

import itertools
import uuid

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, FaultError, InvalidInputError, Reason, UnavailableError
from chladni_fakes import solid_png
from chladni_gateway.similarity.levels import level_of

EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def create(browser, content=b"RIFF", **fields):
    fields = {"width_pixels": "16", "steps": "1"} | fields
    response = await browser.post("/api/v1/generate", files={"file": ("a.wav", content)}, data=fields)
    assert response.status_code == 200, response.text
    return response.json()["image_id"]


async def create_many(browser, count):
    return [await create(browser, f"RIFF {number}".encode()) for number in range(count)]


async def compare(browser, image_ids):
    return await browser.post("/api/v1/compare/matrix", json={"image_ids": image_ids})


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0, "low"),
        (0.294, "low"),
        (0.296, "medium"),
        (0.3, "medium"),
        (0.7, "medium"),
        (0.704, "medium"),
        (0.706, "high"),
        (1, "high"),
    ],
)
def test_the_level_is_that_of_the_percentage_as_it_is_shown(score, level):
    assert level_of(score).value == level


async def test_each_is_compared_with_each_and_looked_at_once(backends, open_session):
    browser = await open_session()
    image_ids = await create_many(browser, 20)
    body = (await compare(browser, image_ids)).json()
    assert (body["image_ids"], body["model"]) == (image_ids, "scripted-eye")
    scores = body["scores"]
    assert [len(row) for row in scores] == [20] * 20
    assert body["percentages"] == [[f"{round(score * 100)}%" for score in row] for row in scores]
    for i, j in itertools.product(range(20), repeat=2):
        assert 0 <= scores[i][j] <= 1
        assert scores[i][j] == scores[j][i]
        assert scores[i][j] == 1 if i == j else scores[i][j] < 1
    assert len(backends.similarity.embedded) == len(set(backends.similarity.embedded)) == 20


@EXAMPLES
@given(data=st.data(), count=st.integers(2, 5))
async def test_the_order_of_the_question_is_that_of_the_answer(backends, gateway, five_ids, data, count):
    image_ids = data.draw(st.permutations(five_ids))[:count]
    body = (await compare(gateway.http, image_ids)).json()
    assert body["image_ids"] == image_ids
    whole = (await compare(gateway.http, five_ids)).json()["scores"]
    for i, j in itertools.product(range(count), repeat=2):
        expected = whole[five_ids.index(image_ids[i])][five_ids.index(image_ids[j])]
        assert body["scores"][i][j] == expected


@pytest_asyncio.fixture(loop_scope="session")
async def five_ids(gateway):
    return await create_many(gateway.http, 5)


async def test_equal_images_are_equal_and_looked_at_once(backends, open_session):
    browser = await open_session()
    content = solid_png(16, 16, (1, 2, 3))
    backends.image_generation.draw = lambda _digest, _seed, _size: content
    image_ids = await create_many(browser, 3)
    assert (await compare(browser, image_ids)).json()["scores"] == [[1.0] * 3] * 3
    assert backends.similarity.embedded == [content]
    matches = (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json()["matches"]
    assert [match["score"] for match in matches] == [1.0, 1.0]


async def test_a_matrix_of_strangers_images_is_made_by_their_identifiers(open_session):
    ann, bob = await open_session(), await open_session()
    response = await compare(bob, await create_many(ann, 2))
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("image_ids", "status", "code", "words"),
    [
        ([], 400, "INVALID_FIELD", "image_ids"),
        ([str(uuid.uuid4())], 400, "INVALID_FIELD", "image_ids"),
        ([str(uuid.uuid4()) for _ in range(25)], 400, "INVALID_FIELD", "image_ids"),
        (["x", "y"], 400, "INVALID_FIELD", "image_ids must be a UUID"),
        ([str(uuid.UUID(int=1))] * 2, 400, "INVALID_FIELD", "twice"),
        (
            ["0000000A-0000-4000-8000-000000000000", "0000000a-0000-4000-8000-000000000000"],
            400,
            "INVALID_FIELD",
            "twice",
        ),
        ([str(uuid.UUID(int=1)), str(uuid.UUID(int=2))], 404, "UNKNOWN_IMAGE", str(uuid.UUID(int=1))),
        ([1, 2], 400, "INVALID_FIELD", "image_ids"),
        ("ab", 400, "INVALID_FIELD", "image_ids"),
    ],
)
async def test_a_wrong_matrix_is_refused_by_name(backends, gateway, error_of, image_ids, status, code, words):
    response = await compare(gateway.http, image_ids)
    assert response.status_code == status
    error = error_of(response)
    assert error["code"] == code
    assert words in error["message"]
    assert backends.similarity.embedded == []


async def test_search_finds_the_likest_of_the_session_without_the_given_one(open_session):
    ann, bob = await open_session(), await open_session()
    mine, strange = await create_many(ann, 8), await create(bob, b"RIFF strange")
    matrix = (await compare(ann, mine)).json()["scores"]
    expected = sorted(zip(matrix[2], mine, strict=True), reverse=True, key=lambda pair: pair[0])[1:]
    body = (await ann.post("/api/v1/search", json={"image_id": mine[2]})).json()
    assert [match["score"] for match in body["matches"]] == pytest.approx(
        [score for score, _ in expected], abs=2e-6
    )
    assert {match["image"]["image_id"] for match in body["matches"]} == set(mine) - {mine[2]}
    best = body["matches"][0]
    assert best["image"] == (await ann.get(f"/api/v1/images/{best['image']['image_id']}/details")).json()
    assert best["percentage"] == f"{round(best['score'] * 100)}%"
    assert best["level"] == level_of(best["score"]).value
    three = (await ann.post("/api/v1/search", json={"image_id": mine[2], "max_results": 3})).json()
    assert three["matches"] == body["matches"][:3]
    of_strange = (await ann.post("/api/v1/search", json={"image_id": strange, "max_results": 50})).json()[
        "matches"
    ]
    assert {match["image"]["image_id"] for match in of_strange} == set(mine)
    assert (await bob.post("/api/v1/search", json={"image_id": strange})).json() == {"matches": []}


async def test_a_search_fills_the_collection_and_later_ones_only_ask_it(backends, open_session):
    browser = await open_session()
    image_ids = await create_many(browser, 5)
    assert backends.similarity.collections == {}, "a creation does not wait for similarity"
    first = (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json()
    assert set(backends.similarity.collections["gateway"]) == set(image_ids[1:])
    again = (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json()
    assert again == first
    assert len(backends.similarity.embedded) == 4
    backends.similarity.collections.clear()  # as after a restart
    assert (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json() == first


@pytest.mark.parametrize("trouble", ["off", "full", "unreachable"])
async def test_a_search_without_a_usable_collection_finds_the_same(backends, open_session, trouble):
    browser = await open_session()
    image_ids = await create_many(browser, 5)
    expected = (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json()["matches"]
    backends.similarity.collections.clear()
    if trouble == "off":
        backends.similarity.keeps_collections = False
    elif trouble == "full":
        backends.similarity.add_error = ChladniError(Reason.COLLECTION_FULL, "It is full.")
    else:
        backends.similarity.search_error = UnavailableError(Reason.STORAGE_UNAVAILABLE, "Its disk fails.")
    found = (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json()["matches"]
    assert [match["image"] for match in found] == [match["image"] for match in expected]
    assert [match["score"] for match in found] == pytest.approx(
        [match["score"] for match in expected], abs=1e-6
    )


async def test_equally_alike_images_come_newest_first(backends, open_session):
    browser = await open_session()
    backends.image_generation.draw = lambda _digest, _seed, _size: solid_png(16, 16, (1, 2, 3))
    image_ids = await create_many(browser, 4)
    for limit in (50, 2):
        body = {"image_id": image_ids[1], "max_results": limit}
        matches = (await browser.post("/api/v1/search", json=body)).json()["matches"]
        newest_first = [image_ids[3], image_ids[2], image_ids[0]][:limit]
        assert [match["image"]["image_id"] for match in matches] == newest_first


async def test_a_deleted_image_leaves_the_collection(backends, open_gateway_with, open_session, eventually):
    async with open_gateway_with(image_sweep_interval_seconds=0.05) as gateway:
        browser = await open_session(gateway)
        image_ids = await create_many(browser, 3)
        await browser.post("/api/v1/search", json={"image_id": image_ids[0]})
        assert (await browser.delete(f"/api/v1/images/{image_ids[1]}")).status_code == 204
        await eventually(lambda: list(backends.similarity.collections["gateway"]) == [image_ids[2]])
        matches = (await browser.post("/api/v1/search", json={"image_id": image_ids[0]})).json()["matches"]
        assert [match["image"]["image_id"] for match in matches] == [image_ids[2]]


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({}, 400, "MISSING_FIELD", "image_id"),
        ({"image_id": "x"}, 400, "INVALID_FIELD", "image_id must be a UUID"),
        ({"image_id": str(uuid.UUID(int=1))}, 404, "UNKNOWN_IMAGE", "No image"),
        ({"image_id": str(uuid.UUID(int=1)), "max_results": 0}, 400, "INVALID_FIELD", "max_results"),
        ({"image_id": str(uuid.UUID(int=1)), "max_results": 51}, 400, "INVALID_FIELD", "max_results"),
        ({"image_id": str(uuid.UUID(int=1)), "max_results": "3"}, 400, "INVALID_FIELD", "max_results"),
        ({"image_id": str(uuid.UUID(int=1)), "max_results": True}, 400, "INVALID_FIELD", "max_results"),
        ({"image_id": str(uuid.UUID(int=1)), "colour": "red"}, 400, "INVALID_FIELD", "colour"),
        ({"sound": "UklGRg=="}, 501, "NOT_IMPLEMENTED", "cannot search by sound"),
    ],
)
async def test_a_wrong_search_is_refused_by_name(gateway, error_of, body, status, code, words):
    response = await gateway.http.post("/api/v1/search", json=body)
    assert response.status_code == status
    error = error_of(response)
    assert error["code"] == code
    assert words in error["message"]


async def test_a_service_that_fails_is_the_stage_similarity(backends, open_session, error_of):
    browser = await open_session()
    image_ids = await create_many(browser, 2)
    backends.similarity.error = UnavailableError(Reason.MODEL_NOT_READY, "The model is loading.")
    for response in (
        await compare(browser, image_ids),
        await browser.post("/api/v1/search", json={"image_id": image_ids[0]}),
    ):
        assert response.status_code == 503
        assert error_of(response)["stage"] == "similarity"


async def draw(browser, content=b"RIFF", **fields):
    return await browser.post("/api/v1/spectrogram", files={"file": ("a.wav", content)}, data=fields)


@EXAMPLES
@given(width=st.none() | st.integers(0, 5000), height=st.none() | st.integers(0, 5000))
async def test_a_spectrogram_has_the_size_that_was_asked_for(backends, gateway, error_of, width, height):
    sizes = {"width_pixels": width, "height_pixels": height}
    response = await draw(
        gateway.http, **{name: str(size) for name, size in sizes.items() if size is not None}
    )
    wrong = [name for name, size in sizes.items() if size is not None and not 16 <= size <= 4096]
    if wrong:
        assert response.status_code == 400
        error = error_of(response)
        assert (error["code"], error["stage"]) == ("INVALID_FIELD", "validation")
        assert all(name in error["message"] for name in wrong)
        return
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert response.headers["cache-control"] == "no-store"
    size = int.from_bytes(response.content[16:20]), int.from_bytes(response.content[20:24])
    assert size == (width or 512, height or 512)
    assert backends.audio_features.spectrogram_requests.pop().audio.content == b"RIFF"


@pytest.mark.parametrize(
    ("error", "status", "code", "stage"),
    [
        (
            InvalidInputError(Reason.CORRUPT_AUDIO, "audio.content ends early.", field="audio.content"),
            400, "CORRUPT_AUDIO", "validation",
        ),
        (FaultError(Reason.INTERNAL, "It failed."), 500, "INTERNAL", "audio_features"),
    ],
)  # fmt: skip
async def test_a_recording_that_cannot_be_drawn_is_told(
    backends, gateway, error_of, error, status, code, stage
):
    backends.audio_features.error = error
    response = await draw(gateway.http)
    assert response.status_code == status
    told = error_of(response)
    assert (told["code"], told["stage"]) == (code, stage)
    assert "audio.content" not in told["message"]


async def test_what_is_no_recording_is_not_drawn(gateway, error_of):
    assert error_of(await draw(gateway.http, b""))["code"] == "EMPTY_AUDIO"
    assert error_of(await draw(gateway.http, seed="1"))["message"].startswith("seed")
    response = await gateway.http.post("/api/v1/spectrogram", files={"width_pixels": (None, b"16")})
    assert error_of(response)["code"] == "MISSING_FIELD"
