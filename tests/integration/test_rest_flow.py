"""Image creation through the REST API, with the four real services."""

from __future__ import annotations

import asyncio
import io
import json
import uuid

import httpx
import numpy as np
import pytest
from PIL import Image

from chladni_fixtures.audio import RATE_HZ, encoded, melody

OWN_SIZE = {"width_pixels": None, "height_pixels": None}


@pytest.fixture
async def client(cluster):
    async with httpx.AsyncClient(base_url=cluster.http_url, timeout=60, verify=False) as client:
        yield client


async def generate(client, content, name="sound.wav", **fields):
    """Make a small image unless a test asks for another; None stands for the service's own default."""
    fields = {"width_pixels": 256, "height_pixels": 256} | fields
    form = {field: str(value) for field, value in fields.items() if value is not None}
    return await client.post("/api/v1/generate", files={"file": (name, content)}, data=form)


async def png_of(client, answer):
    response = await client.get(answer["image_url"])
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    return response.content


@pytest.mark.parametrize("container", ["WAV", "MP3", "FLAC", "OGG"])
async def test_every_format_gives_an_image_of_512_pixels(client, container):
    content = encoded(melody(), container=container)
    response = await generate(client, content, steps=4, **OWN_SIZE)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert uuid.UUID(answer["image_id"]).version == 4
    assert answer["processing_time"] > 0
    image = Image.open(io.BytesIO(await png_of(client, answer)))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (512, 512))
    provenance = json.loads(image.text["chladni"])
    assert provenance["steps"] == 4
    assert provenance["recipe"] == "embedded"


async def test_the_samples_give_rich_and_different_images(client, samples):
    images = []
    for path in samples[:3]:
        response = await generate(client, path.read_bytes(), path.name, seed=1, **OWN_SIZE)
        assert response.status_code == 200, response.text
        image = Image.open(io.BytesIO(await png_of(client, response.json())))
        images.append(np.asarray(image, np.float64))
    for image in images:
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 5000
        smooth = np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1]
        assert smooth > 0.8, "neighbouring pixels of an image, unlike those of noise, are alike"
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(images[first] - images[second]).mean() > 10


async def test_same_file_and_seed_same_bytes_other_seed_other_image(client):
    content = encoded(melody())
    answers = [
        (await generate(client, content, seed=seed, steps=3, bypass_cache="true")).json()
        for seed in (5, 5, 6)
    ]
    assert not any(answer["reused"] for answer in answers)
    first, again, other = [await png_of(client, answer) for answer in answers]
    assert first == again
    assert first != other
    assert len({answer["image_id"] for answer in answers}) == 3


async def test_the_same_request_again_gets_the_same_image_at_once(client):
    content = encoded(melody(pitch_hz=333))
    first, again = [(await generate(client, content, seed=9, steps=3)).json() for _ in range(2)]
    assert [first["reused"], again["reused"]] == [False, True]
    assert first["image_id"] != again["image_id"]
    assert await png_of(client, first) == await png_of(client, again)


async def test_other_sizes_are_generated(client):
    response = await generate(client, encoded(melody()), steps=2, width_pixels=320, height_pixels=640)
    image = Image.open(io.BytesIO(await png_of(client, response.json())))
    assert image.size == (320, 640)
    refused = await generate(client, encoded(melody()), steps=2, width_pixels=321)
    assert refused.status_code == 400
    assert "multiple of 64" in refused.json()["error"]["message"]


async def test_a_renamed_file_is_recognised_by_its_content(client):
    assert (
        await generate(client, encoded(melody(), container="FLAC"), "song.mp3", steps=1)
    ).status_code == 200


async def test_silence_and_the_shortest_and_longest_sounds_are_valid(client):
    for samples in (np.zeros(RATE_HZ, np.float32), melody(0.1), melody(30.0)):
        response = await generate(client, encoded(samples), steps=1)
        assert response.status_code == 200, response.text


async def test_eight_requests_at_once_are_correct_and_independent(client):
    contents = [encoded(melody(pitch_hz=110 * (index + 2))) for index in range(8)]

    async def one(index):
        response = await generate(
            client, contents[index], seed=index, steps=2 + index % 3, bypass_cache="true"
        )
        assert not response.json()["reused"]
        return await png_of(client, response.json())

    together = await asyncio.gather(*(one(index) for index in range(8)))
    assert len(set(together)) == 8
    for index in (0, 3, 7):
        assert await one(index) == together[index]


async def test_comparing_is_symmetric_and_one_for_the_same_image(client):
    ids = [
        (await generate(client, encoded(melody(pitch_hz=pitch)), seed=1, steps=3)).json()["image_id"]
        for pitch in (220, 1760)
    ]

    async def compare(first, second):
        response = await client.post("/api/v1/compare", json={"image_id_1": first, "image_id_2": second})
        assert response.status_code == 200, response.text
        return response.json()

    same, there, back = [await compare(*pair) for pair in ((ids[0], ids[0]), ids, ids[::-1])]
    assert same["score"] == 1.0
    assert same["percentage"] == "100%"
    assert 0 <= there["score"] < 1
    assert there == back


async def test_a_matrix_and_a_search_agree_with_comparisons(client):
    ids = [
        (await generate(client, encoded(melody(pitch_hz=pitch)), seed=seed, steps=2)).json()["image_id"]
        for pitch, seed in ((220, 1), (440, 2), (1760, 3))
    ]
    matrix = (await client.post("/api/v1/compare/matrix", json={"image_ids": ids})).json()["scores"]
    assert [matrix[index][index] for index in range(3)] == [1.0] * 3
    for row, column in ((0, 1), (0, 2), (1, 2)):
        assert matrix[row][column] == matrix[column][row]
        body = {"image_id_1": ids[row], "image_id_2": ids[column]}
        comparison = (await client.post("/api/v1/compare", json=body)).json()
        assert matrix[row][column] == pytest.approx(comparison["score"], abs=2e-6)
    expected = sorted(zip(matrix[0][1:], ids[1:], strict=True), reverse=True)
    for _ in range(2):  # The first search adds the images to the collection.
        response = await client.post("/api/v1/search", json={"image_id": ids[0]})
        matches = response.json()["matches"]
        assert [match["image"]["image_id"] for match in matches] == [image_id for _, image_id in expected]
        assert [match["score"] for match in matches] == pytest.approx(
            [score for score, _ in expected], abs=2e-6
        )


async def test_progress_arrives_as_server_sent_events(client):
    async with client.stream(
        "POST",
        "/api/v1/generate",
        files={"file": ("sound.wav", encoded(melody()))},
        data={"steps": "4", "width_pixels": "256", "height_pixels": "256"},
        headers={"accept": "text/event-stream"},
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in response.aiter_lines()]
    names = [line.removeprefix("event:").strip() for line in lines if line.startswith("event:")]
    shown = [name for name in names if name != "queued"]
    assert shown == ["accepted", "analyzed", "started", *["progress"] * 4, "created"]


async def denoising_steps(cluster):
    return await cluster.metric("image-generation", "chladni_denoising_steps_total")


async def test_leaving_the_page_stops_the_denoising(client, cluster):
    before = await denoising_steps(cluster)
    async with client.stream(
        "POST",
        "/api/v1/generate",
        files={"file": ("sound.wav", encoded(melody()))},
        data={"steps": "150"},
        headers={"accept": "text/event-stream"},
    ) as response:
        async for line in response.aiter_lines():
            if line.startswith("event: progress"):
                break
    async with asyncio.timeout(20):
        while await cluster.metric("image-generation", "chladni_generations_active") > 0:
            await asyncio.sleep(0.05)
    taken = await denoising_steps(cluster) - before
    assert taken < 100
    await asyncio.sleep(0.5)
    assert await denoising_steps(cluster) - before == taken


def not_a_number():
    samples = melody()
    samples[100] = np.nan
    return encoded(samples, subtype="FLOAT")


def without_channels():
    content = bytearray(encoded(melody()))
    content[22:24] = b"\0\0"
    return bytes(content)


def at_rate(rate_hz):
    content = bytearray(encoded(melody()))
    content[24:28] = rate_hz.to_bytes(4, "little")
    return bytes(content)


BAD_RECORDINGS = {
    "text": (lambda: b"This is no sound at all. " * 100, "UNSUPPORTED_AUDIO_FORMAT"),
    "an image": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), "UNSUPPORTED_AUDIO_FORMAT"),
    "empty": (lambda: b"", "EMPTY_AUDIO"),
    "truncated": (lambda: encoded(melody(), container="FLAC")[:3000], "CORRUPT_AUDIO"),
    "too long": (lambda: encoded(melody(30.5)), "AUDIO_TOO_LONG"),
    "too short": (lambda: encoded(melody(0.05)), "AUDIO_TOO_SHORT"),
    "too large": (lambda: encoded(melody(29, rate_hz=192_000), rate_hz=192_000), "FILE_TOO_LARGE"),
    "zero channels": (without_channels, "UNSUPPORTED_AUDIO_LAYOUT"),
    "not a number": (not_a_number, "NON_FINITE_AUDIO"),
    "1 Hz": (lambda: at_rate(1), "UNSUPPORTED_AUDIO_LAYOUT"),
    "400 kHz": (lambda: at_rate(400_000), "UNSUPPORTED_AUDIO_LAYOUT"),
}


@pytest.mark.parametrize(("make", "code"), BAD_RECORDINGS.values(), ids=BAD_RECORDINGS.keys())
async def test_a_bad_recording_is_refused_with_its_reason_and_the_next_one_works(client, make, code):
    response = await generate(client, make())
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["code"] == code
    assert error["stage"] in {"validation", "audio_features"}
    assert set(error) >= {"code", "message", "stage", "timestamp"}
    assert (await generate(client, encoded(melody(0.2)), steps=1)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"steps": 0}, 400, "steps"),
        ({"steps": 151}, 400, "steps"),
        ({"steps": "many"}, 400, "steps"),
        ({"guidance_scale": 0.5}, 400, "guidance_scale"),
        ({"guidance_scale": "nan"}, 400, "guidance_scale"),
        ({"seed": -1}, 400, "seed"),
        ({"seed": 2**32}, 400, "seed"),
        ({"recipe": "alchemy"}, 404, "alchemy"),
    ],
)
async def test_a_bad_field_is_named(client, fields, status, named):
    response = await generate(client, encoded(melody(0.2)), **fields)
    assert response.status_code == status
    assert named in response.json()["error"]["message"]


async def test_a_missing_file_and_unknown_images_are_errors(client):
    response = await client.post("/api/v1/generate", files={"steps": (None, "2")})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "MISSING_FIELD"
    unknown = str(uuid.uuid4())
    for response in (
        await client.get(f"/api/v1/images/{unknown}"),
        await client.post("/api/v1/compare", json={"image_id_1": unknown, "image_id_2": unknown}),
    ):
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "UNKNOWN_IMAGE"
    response = await client.get("/api/v1/images/..%2F..%2Fetc%2Fpasswd")
    assert response.status_code in {400, 404}


async def test_health_reports_every_service(client):
    response = await client.get("/api/v1/health")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "healthy"
    assert body["models_loaded"] is True
