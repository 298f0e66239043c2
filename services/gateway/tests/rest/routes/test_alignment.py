"""How well images fit sounds, over REST."""

from __future__ import annotations

import json
import struct
import uuid
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chladni_contract.errors import (
    InvalidInputError,
    NotFoundError,
    NotOfferedError,
    Reason,
    UnavailableError,
)
from chladni_gateway.domain.audio import Embedding
from chladni_gateway.domain.ports import Alignment
from chladni_gateway.similarity.alignment import REMEMBERED_SECONDS, AlignmentMemory
from chladni_gateway.similarity.levels import level_of

EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NOT_OFFERED = NotOfferedError("This server has no model that hears and sees.")


async def create(browser, **fields):
    """Makes an image of a sound that no other test has: what is remembered of others does not count."""
    content = b"RIFF" + uuid.uuid4().bytes
    fields = {"width_pixels": "16", "steps": "1"} | fields
    response = await browser.post("/api/v1/generate", files={"file": ("a.wav", content)}, data=fields)
    assert response.status_code == 200, response.text
    return response.json()["image_id"]


async def align(browser, image_id, **query):
    return await browser.get(f"/api/v1/images/{image_id}/alignment", params=query)


async def test_an_image_is_scored_against_its_own_sound_without_another_analysis(backends, open_session):
    browser = await open_session()
    image_id = await create(browser)
    analyses = len(backends.audio_features.requests)
    backends.similarity.fit = lambda _image, _sound: 0.926
    response = await align(browser, image_id)
    assert response.status_code == 200
    assert response.json() == {
        "image_id": image_id,
        "audio_of": image_id,
        "score": 0.926,
        "percentage": "93%",
        "level": "high",
        "cosine": pytest.approx(0.852),
        "model": "scripted-eye-and-ear",
    }
    assert len(backends.audio_features.requests) == analyses
    [asked] = backends.similarity.aligned
    assert asked.image.content == (await browser.get(f"/api/v1/images/{image_id}")).content
    [generated] = backends.image_generation.requests
    conditioning = generated[0].conditioning.audio_embedding
    assert asked.audio.embedding.space == conditioning.space
    assert asked.audio.embedding.values == conditioning.values
    assert asked.model == ""


async def test_own_and_crossed_sounds_are_told_apart_and_asked_once(backends, open_session):
    browser = await open_session()
    image_ids = [await create(browser, seed=str(seed)) for seed in (1, 2)]
    sounds = [
        request.conditioning.audio_embedding.values.data for request, _ in backends.image_generation.requests
    ]
    contents = [(await browser.get(f"/api/v1/images/{image_id}")).content for image_id in image_ids]
    own = dict(zip(contents, sounds, strict=True))
    backends.similarity.fit = lambda image, sound: 0.9 if own[image] == sound else 0.2
    for _ in range(3):
        for image, source in product(image_ids, repeat=2):
            body = (await align(browser, image, audio_of=source)).json()
            assert (body["image_id"], body["audio_of"]) == (image, source)
            assert body["score"] == (0.9 if image == source else 0.2)
    assert len(backends.similarity.aligned) == 4
    assert (await align(browser, image_ids[0])).json()["score"] == 0.9
    assert len(backends.similarity.aligned) == 4


@EXAMPLES
@given(score=st.floats(0, 1))
async def test_what_people_see_is_the_score_rounded(backends, open_session, score):
    backends.similarity.fit = lambda _image, _sound: score
    browser = await open_session()
    body = (await align(browser, await create(browser))).json()
    assert body["score"] == score
    assert body["percentage"] == f"{round(score * 100)}%"
    assert body["level"] == level_of(score).value


async def test_an_answer_may_be_kept_by_the_browser_of_its_session(open_session):
    browser = await open_session()
    response = await align(browser, await create(browser))
    assert response.headers["cache-control"] == "private, max-age=600"
    assert "cookie" in response.headers["vary"].lower()


@pytest.mark.parametrize("place", ["image", "sound"])
async def test_strangers_images_and_sounds_are_as_those_that_are_not_there(
    backends, open_session, error_of, place
):
    ann, bob, nobody = [await open_session() for _ in range(3)]
    strange, mine = await create(ann), await create(bob)
    for other in (strange, str(uuid.uuid4())):
        image, source = (other, mine) if place == "image" else (mine, other)
        for browser in (bob, nobody):
            response = await align(browser, image, audio_of=source)
            assert response.status_code == 404
            error = error_of(response)
            assert (error["code"], error["stage"]) == ("UNKNOWN_IMAGE", "storage")
            assert (
                "cache-control" not in response.headers or "max-age" not in response.headers["cache-control"]
            )
    assert backends.similarity.aligned == []


async def test_what_was_deleted_fits_nothing_any_more(open_session, error_of):
    browser = await open_session()
    image_id = await create(browser)
    assert (await align(browser, image_id)).status_code == 200
    await browser.delete(f"/api/v1/images/{image_id}")
    assert error_of(await align(browser, image_id))["code"] == "UNKNOWN_IMAGE"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("x", {}, "image_id"),
        ("a/b", {}, "image_id"),
        (str(uuid.UUID(int=1)), {"audio_of": "x"}, "audio_of"),
        (str(uuid.UUID(int=1)), {"audio_of": ""}, "audio_of"),
    ],
)
async def test_what_is_no_identifier_is_refused_by_name(gateway, error_of, path, query, field):
    response = await align(gateway.http, path, **query)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("INVALID_FIELD", "validation")
    assert error["message"].startswith(field)


async def test_images_of_earlier_versions_say_that_their_sound_is_not_known(
    backends, open_gateway_with, open_session, error_of
):
    async with open_gateway_with() as gateway:
        browser = await open_session(gateway)
        old, new = await create(browser), await create(browser)
        path = gateway.settings.image_folder / f"{old}.json"
        record = json.loads(path.read_text())
        del record["audio_embedding"]
        path.write_text(json.dumps(record))
        for response in (await align(browser, old), await align(browser, new, audio_of=old)):
            assert response.status_code == 404
            error = error_of(response)
            assert (error["code"], error["stage"]) == ("NO_ALIGNMENT", "similarity")
            assert old in error["message"]
            assert "Create it again" in error["message"]
        assert (await align(browser, old, audio_of=new)).status_code == 200


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (NOT_OFFERED, 501, "NOT_IMPLEMENTED"),
        (NotFoundError(Reason.UNKNOWN_MODEL, "No model is called so."), 404, "UNKNOWN_MODEL"),
        (UnavailableError(Reason.MODEL_NOT_READY, "The model is loading."), 503, "MODEL_NOT_READY"),
        (
            InvalidInputError(Reason.INVALID_FIELD, "It is old.", field="audio.embedding.space"),
            404,
            "NO_ALIGNMENT",
        ),
    ],
)  # fmt: skip
async def test_a_service_that_cannot_tell_says_why_and_is_asked_again(
    backends, open_session, error_of, raised, status, code
):
    browser = await open_session()
    image_id = await create(browser)
    backends.similarity.alignment_error = raised
    response = await align(browser, image_id)
    assert response.status_code == status
    error = error_of(response)
    assert (error["code"], error["stage"]) == (code, "similarity")
    assert "max-age" not in response.headers.get("cache-control", "")
    backends.similarity.alignment_error = None
    assert (await align(browser, image_id)).status_code == 200


async def test_similarity_that_is_down_is_told(backends, open_session, error_of):
    browser = await open_session()
    image_id = await create(browser)
    await backends.servers["similarity"].kill()
    response = await align(browser, image_id)
    assert response.status_code == 503
    assert (error_of(response)["code"], error_of(response)["stage"]) == ("BACKEND_UNAVAILABLE", "similarity")


def audio_of(number):
    return Embedding("space", (1,), struct.pack("<f", number))


def test_an_alignment_is_remembered_for_a_while():
    now = 0.0
    memory = AlignmentMemory(lambda: now)
    alignment = Alignment(0.5, 0.1, "m")
    assert memory.find("a", audio_of(1)) is None
    memory.keep("a", audio_of(1), alignment)
    now = REMEMBERED_SECONDS - 1
    assert memory.find("a", audio_of(1)) is alignment
    assert memory.find("b", audio_of(1)) is None
    assert memory.find("a", audio_of(2)) is None
    now = REMEMBERED_SECONDS
    assert memory.find("a", audio_of(1)) is None


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5))), limit=st.integers(1, 4))
def test_the_least_recently_used_of_too_many_are_forgotten(steps, limit):
    memory, recent = AlignmentMemory(lambda: 0.0, max_remembered=limit), []
    for is_kept, number in steps:
        if is_kept:
            memory.keep("a", audio_of(number), Alignment(number / 5, 0.0, "m"))
        else:
            found = memory.find("a", audio_of(number))
            assert (found is not None) == (number in recent)
            assert found is None or found.score == number / 5
        if is_kept or number in recent:
            recent = [*(other for other in recent if other != number), number][-limit:]
