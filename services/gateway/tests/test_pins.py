"""Pins: images that neither limits nor time remove."""

from __future__ import annotations

from chladni.gateway.v1 import creation_pb2, image_service_pb2
from chladni.media.v1 import media_pb2


async def test_a_pinned_image_says_so_and_its_owner_alone_may_pin_it(gateway, error_of):
    image_id = (await gateway.create()).json()["image_id"]
    path = f"/api/v1/images/{image_id}/pin"
    for verb, is_pinned in (
        (gateway.http.post, True),
        (gateway.http.post, True),
        (gateway.http.delete, False),
    ):
        answer = await verb(path)
        assert (answer.status_code, answer.json()["pinned"]) == (200, is_pinned)
        details = (await gateway.http.get(f"/api/v1/images/{image_id}/details")).json()
        assert details["pinned"] is is_pinned
    cookies = dict(gateway.http.cookies)
    gateway.http.cookies.clear()
    stranger = await gateway.http.post(path)
    gateway.http.cookies.update(cookies)
    assert (stranger.status_code, error_of(stranger)["reason"]) == (404, "UNKNOWN_IMAGE")
    wrong = await gateway.http.post("/api/v1/images/nothing/pin")
    assert (wrong.status_code, error_of(wrong)["violations"][0]["field"]) == (400, "image_id")


async def test_an_image_is_pinned_over_grpc(gateway):
    metadata = (("x-session-token", gateway.draw_token()),)
    request = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=b"RIFF pin"))
    events = [event async for event in gateway.images.CreateImage(request, metadata=metadata)]
    image_id = events[-1].created.image.image_id
    for unpin in (False, True):
        pin = image_service_pb2.PinImageRequest(image_id=image_id, unpin=unpin)
        answer = await gateway.images.PinImage(pin, metadata=metadata)
        assert answer.image.pinned is not unpin
        listed = await gateway.images.ListImages(image_service_pb2.ListImagesRequest(), metadata=metadata)
        assert listed.images[0].pinned is not unpin


async def test_half_of_the_images_of_a_session_can_be_pinned(open_gateway_with, error_of):
    async with open_gateway_with(max_images_per_session=2) as gateway:
        first, second = [(await gateway.create()).json()["image_id"] for _ in range(2)]
        assert (await gateway.http.post(f"/api/v1/images/{first}/pin")).status_code == 200
        refused = await gateway.http.post(f"/api/v1/images/{second}/pin")
        assert (refused.status_code, error_of(refused)["reason"]) == (507, "COLLECTION_FULL")
        assert "Unpin one first" in error_of(refused)["message"]
        await gateway.create()
        listed = (await gateway.http.get("/api/v1/images")).json()["images"]
        assert [image["pinned"] for image in listed] == [False, True]
        assert listed[1]["image_id"] == first
