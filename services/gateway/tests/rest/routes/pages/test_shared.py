"""Pages of single images: there for everybody who has a link, which only their owners make and withdraw."""

from __future__ import annotations

import uuid

import pytest

from chladni_fixtures.audio import encoded, melody
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.rest.routes.pages.shared import shown_address


async def test_an_image_is_private_until_its_owner_makes_a_link_and_again_once_it_is_withdrawn(
    gateway, open_session
):
    owner, stranger = await open_session(), await open_session()
    clip = encoded(melody(0.5))
    made = (await owner.post("/api/v1/generate", files={"file": ("<b>a&b.wav", clip)})).json()
    image_id = made["image_id"]
    assert (await owner.get("/f", params={"image_id": image_id})).json() is None
    assert (await stranger.post("/f", json={"image_id": image_id})).status_code == 404

    link = (await owner.post("/f", json={"image_id": image_id})).json()
    path = link["path"]
    assert path == f"/f/{link['link']}"
    assert link["with_audio"] is False
    assert (await owner.get("/f", params={"image_id": image_id})).json() == link
    assert (await stranger.get("/f", params={"image_id": image_id})).json() is None

    page = await stranger.get(path)
    assert page.status_code == 200
    assert (page.headers["x-robots-tag"], page.headers["cache-control"]) == ("noindex", "private, no-cache")
    host = str(stranger.base_url).rstrip("/")
    assert f'<meta property="og:image" content="{host}{path}/image">' in page.text
    assert "<h1>&lt;b&gt;a&amp;b</h1>" in page.text
    image = await stranger.get(f"{path}/image")
    original = await owner.get(made["image_url"])
    assert (image.content, image.headers["content-type"]) == (original.content, "image/png")
    reading = await stranger.get(f"{path}/reading")
    assert reading.json()["descriptors"] == made["descriptors"]
    assert reading.json()["duration_seconds"] == made["audio"]["duration_seconds"]
    assert image_id not in page.text + reading.text  # By it, the image could be had for ever.
    assert made["audio"]["sha256"] not in page.text + reading.text

    assert (await stranger.get(f"{path}/audio")).status_code == 404
    form = {"files": {"file": ("a.wav", clip)}, "data": {"link": link["link"]}}
    assert (await stranger.post("/f/audio", **form)).status_code == 404
    for part in ({"start_seconds": "0.1"}, {"end_seconds": "0.2"}):
        refused = await owner.post("/f/audio", files=form["files"], data=form["data"] | part)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_FIELD")
    assert (await owner.post("/f/audio", **form)).json()["with_audio"] is True
    audio = await stranger.get(f"{path}/audio")
    assert (audio.content, audio.headers["content-type"]) == (clip, "audio/wav")

    assert (await stranger.delete(path)).status_code == 404
    assert (await owner.delete(path)).status_code == 204
    for part in ("", "/image", "/audio", "/reading"):
        assert (await stranger.get(path + part)).status_code == 404


async def test_a_link_ends_with_its_image(open_session):
    owner = await open_session()
    made = (await owner.post("/api/v1/generate", files={"file": ("a.wav", encoded(melody(0.5)))})).json()
    link = (await owner.post("/f", json={"image_id": made["image_id"]})).json()
    await owner.delete(made["image_url"])
    assert (await owner.get(link["path"])).status_code == 404
    assert (await owner.get("/f", params={"image_id": made["image_id"]})).json() is None
    assert (await owner.get(f"/f/{'a' * 22}")).status_code == 404
    assert (await owner.post("/f", json={"image_id": str(uuid.uuid4())})).status_code == 404


@pytest.mark.parametrize("image_format", ImageFormat)
def test_a_page_shows_every_image_but_a_pdf_for_which_a_sign_stands(image_format):
    shown = shown_address(image_format, "/s/token/image")
    assert shown == ("/static/pdf.svg" if image_format is ImageFormat.PDF else "/s/token/image")


@pytest.mark.parametrize(("path", "methods"), [("/f", {"GET", "POST"}), ("/f/x", {"DELETE", "GET"})])
async def test_another_method_is_told_those_of_the_address(gateway, path, methods):
    response = await gateway.http.put(path)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) - {"HEAD"} == methods
