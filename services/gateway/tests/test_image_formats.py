"""Images that are no PNG: asked for, kept, fetched, listed and compared by both transports."""

from __future__ import annotations

import json

import pytest

from chladni.gateway.v1 import creation_pb2, image_service_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.images.file_metadata import find_text
from chladni_contract.metadata import SESSION_TOKEN_KEY
from chladni_fakes import families

FORMATS = pytest.mark.parametrize(
    ("name", "form", "suffix"),
    [("jpeg", media_pb2.IMAGE_FORMAT_JPEG, ".jpg"), ("webp", media_pb2.IMAGE_FORMAT_WEBP, ".webp")],
)

VECTOR_FORMATS = pytest.mark.parametrize(
    ("name", "form", "media_type"),
    [
        ("svg", media_pb2.IMAGE_FORMAT_SVG, "image/svg+xml"),
        ("pdf", media_pb2.IMAGE_FORMAT_PDF, "application/pdf"),
    ],
)


def creation(form, **options):
    options["encoding"] = media_pb2.ImageEncoding(format=form, quality=options.pop("quality", None))
    return creation_pb2.CreateImageRequest(
        audio=media_pb2.AudioClip(content=b"RIFF"),
        options=generation_pb2.GenerationOptions(**options),
    )


@FORMATS
async def test_over_rest_an_image_is_kept_as_it_was_asked_for(backends, gateway, name, form, suffix):
    response = await gateway.create(format=name, quality="80")
    body = response.json()
    assert (response.status_code, body["format"]) == (200, name)
    [(asked, _)] = backends.image_generation.requests
    assert (asked.options.encoding.format, asked.options.encoding.quality) == (form, 80)
    image = await gateway.http.get(body["image_url"])
    assert image.headers["content-type"] == f"image/{name}"
    assert image.headers["etag"] == f'"{body["sha256"]}"'
    assert len(image.content) == body["size_bytes"]
    assert json.loads(find_text(image.content))["seed"] == body["seed"]
    again = await gateway.http.get(body["image_url"], headers={"If-None-Match": image.headers["etag"]})
    assert again.status_code == 304
    names = {path.name for path in gateway.settings.image_folder.glob(f"{body['image_id']}*")}
    assert names == {f"{body['image_id']}{suffix}", f"{body['image_id']}.json"}
    pair = {"image_id_1": body["image_id"], "image_id_2": body["image_id"]}
    assert (await gateway.http.post("/api/v1/compare", json=pair)).json()["score"] == 1
    assert (await gateway.http.delete(f"/api/v1/images/{body['image_id']}")).status_code == 204
    assert not list(gateway.settings.image_folder.glob(f"{body['image_id']}*"))


@FORMATS
async def test_over_grpc_too(backends, gateway, name, form, suffix):
    events = [event async for event in gateway.images.CreateImage(creation(form))]
    created = events[-1].created
    assert (created.image.format, created.file.format) == (form, form)
    request = image_service_pb2.GetImageRequest(image_id=created.image.image_id)
    found = await gateway.images.GetImage(request)
    assert (found.image.format, found.file.format) == (form, form)
    assert found.file.content == created.file.content
    parts = [
        part
        async for part in gateway.images.DownloadImage(
            image_service_pb2.DownloadImageRequest(image_id=created.image.image_id)
        )
    ]
    assert {part.format for part in parts} == {form}
    image = await gateway.http.get(f"/api/v1/images/{created.image.image_id}")
    assert image.headers["content-type"] == f"image/{name}"


@VECTOR_FORMATS
async def test_shapes_are_kept_and_fetched_as_they_were_asked_for(backends, gateway, name, form, media_type):
    body = (await gateway.create(format=name, look="plate")).json()
    assert body["format"] == name
    [(asked, _)] = backends.image_generation.requests
    assert (asked.options.encoding.format, asked.options.look) == (form, "plate")
    image = await gateway.http.get(body["image_url"])
    assert image.headers["content-type"] == media_type
    assert json.loads(find_text(image.content))["seed"] == body["seed"]
    assert len(list(gateway.settings.image_folder.glob(f"*.{name}"))) == 1
    assert (await gateway.http.delete(f"/api/v1/images/{body['image_id']}")).status_code == 204
    assert not list(gateway.settings.image_folder.glob(f"{body['image_id']}*"))
    events = [event async for event in gateway.images.CreateImage(creation(form, look="plate"))]
    assert events[-1].created.file.format == form


@VECTOR_FORMATS
async def test_a_spectrogram_has_no_shapes(gateway, error_of, name, form, media_type):
    response = await gateway.http.post(
        "/api/v1/spectrogram", files={"file": ("a.wav", b"RIFF")}, data={"format": name}
    )
    assert error_of(response)["violations"][0]["field"] == "format"


async def test_only_the_last_part_of_a_recipe_is_lossy(backends, gateway):
    backends.audio_features.models.append(families.clap())
    backends.image_generation.models += [families.stable_diffusion(), families.audioldm()]
    body = (await gateway.create(recipe="audioldm", format="webp")).json()
    assert body["format"] == "webp"
    draft, final = (request for request, _ in backends.image_generation.requests)
    assert not draft.options.HasField("encoding")
    assert final.conditioning.initial_image.format == media_pb2.IMAGE_FORMAT_PNG
    assert final.options.encoding.format == media_pb2.IMAGE_FORMAT_WEBP


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"format": "gif"}, "format"),
        ({"quality": "80"}, "quality"),
        ({"format": "png", "quality": "80"}, "quality"),
        ({"format": "svg", "quality": "80"}, "quality"),
        ({"format": "webp", "quality": "0"}, "quality"),
        ({"format": "webp", "quality": "101"}, "quality"),
    ],
)
async def test_a_wrong_encoding_is_refused_by_name(gateway, error_of, fields, field):
    error = error_of(await gateway.create(**fields))
    assert (error["code"], error["violations"][0]["field"]) == ("INVALID_FIELD", field)
    assert "encoding" not in error["message"]


async def test_a_spectrogram_has_the_format_that_was_asked_for(backends, gateway):
    response = await gateway.http.post(
        "/api/v1/spectrogram", files={"file": ("a.wav", b"RIFF")}, data={"format": "jpeg", "quality": "50"}
    )
    assert response.headers["content-type"] == "image/jpeg"
    [drawing] = backends.audio_features.spectrogram_requests
    assert (drawing.encoding.format, drawing.encoding.quality) == (media_pb2.IMAGE_FORMAT_JPEG, 50)
    response = await gateway.http.post("/api/v1/spectrogram", files={"file": ("a.wav", b"RIFF")})
    assert response.headers["content-type"] == "image/png"


async def test_a_retry_gives_the_kept_file(backends, gateway):
    form = media_pb2.IMAGE_FORMAT_JPEG
    request = creation(form)
    request.request_id = "0d5e7c62-6a0b-4a53-9a52-5b1a4c0e7a99"
    mine = ((SESSION_TOKEN_KEY, "f" * 43),)
    first = [event async for event in gateway.images.CreateImage(request, metadata=mine)][-1].created
    again = [event async for event in gateway.images.CreateImage(request, metadata=mine)][-1].created
    assert (again.file, again.image.reused) == (first.file, True)
