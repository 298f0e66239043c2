"""A whole gateway that wants tokens: gRPC, REST, WebSockets and the page."""

from __future__ import annotations

import asyncio
import logging

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import audio_service_pb2, image_service_pb2, server_service_pb2
from chladni.gateway.v1 import image_service_pb2 as image_pb2
from chladni_contract.status import rich_status_of
from chladni_gateway.access.principals import Scope
from chladni_gateway.access.token_file import line_of, new_token
from chladni_gateway.composition import SERVICE_NAMES
from chladni_gateway.grpc_api.callers.authentication import scope_of_method
from chladni_gateway.rest.middleware.authentication import scope_of_request

ALICE, BOB, READER, WRITER, EXPIRED = (new_token() for _ in range(5))
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "tokens"
    lines = [
        line_of(ALICE, name="alice", scopes=list(Scope)),
        line_of(BOB, name="bob", scopes=list(Scope)),
        line_of(READER, name="display", scopes=[Scope.READ]),
        line_of(WRITER, name="writer", scopes=[Scope.WRITE]),
        line_of(EXPIRED, name="alice", scopes=list(Scope), until="2020-01-01"),
    ]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def guarded(open_gateway_with, token_file):
    """Opens a gateway that wants tokens."""

    def opener(**overrides):
        return open_gateway_with(token_file=token_file, file_check_seconds=0.02, **overrides)

    return opener


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def metadata(token):
    return (("authorization", f"Bearer {token}"),)


async def refusal_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    assert rich_status_of(caught.value).details[0].Unpack(info)
    return caught.value.code(), info.reason, dict(info.metadata)


@pytest.mark.asyncio(loop_scope="session")
async def test_calls_need_a_token_that_allows_them(guarded):
    async with guarded() as gateway:
        list_images = gateway.images.ListImages
        request = image_pb2.ListImagesRequest()
        for given, problem in (
            ((), "missing"),
            ((("authorization", "Basic abc"),), "malformed"),
            (metadata(new_token()), "unknown"),
            (metadata(EXPIRED), "expired"),
        ):
            code, reason, facts = await refusal_of(list_images(request, metadata=given))
            assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
            assert facts["problem"] == problem
        await list_images(request, metadata=metadata(READER))
        delete = gateway.images.DeleteImage(
            image_service_pb2.DeleteImageRequest(image_id="5f6b8a2e-9a50-4a0e-8f5f-0f3c3a1d7e10"),
            metadata=metadata(READER),
        )
        code, reason, facts = await refusal_of(delete)
        assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        assert facts["scope"] == "write"
        probe = health_pb2_grpc.HealthStub(gateway.channel)
        assert (await probe.Check(health_pb2.HealthCheckRequest())).status == 1


@pytest.mark.asyncio(loop_scope="session")
async def test_images_belong_to_whom_the_token_stands_for_over_both_transports(guarded):
    async with guarded() as gateway:
        created = await gateway.http.post(
            "/api/v1/generate", files={"file": ("voice.wav", WAV)}, headers=bearer(ALICE)
        )
        assert created.status_code == 200, created.text
        assert "set-cookie" not in created.headers
        image_id = created.json()["image_id"]

        async def listed(token):
            request = image_pb2.ListImagesRequest()
            answer = await gateway.images.ListImages(request, metadata=metadata(token))
            over_http = await gateway.http.get("/api/v1/images", headers=bearer(token))
            ids = [image["image_id"] for image in over_http.json()["images"]]
            assert ids == [image.image_id for image in answer.images]
            return ids

        assert await listed(ALICE) == [image_id]
        assert await listed(BOB) == []
        refused = await gateway.http.delete(f"/api/v1/images/{image_id}", headers=bearer(BOB))
        assert refused.status_code == 404
        deleted = await gateway.http.delete(f"/api/v1/images/{image_id}", headers=bearer(ALICE))
        assert deleted.status_code == 204


@pytest.mark.asyncio(loop_scope="session")
async def test_rest_answers_with_401_and_403_and_says_how_to_authenticate(guarded, error_of, caplog):
    caplog.set_level(logging.DEBUG)
    async with guarded() as gateway:
        answer = await gateway.http.get("/api/v1/images")
        assert (answer.status_code, error_of(answer)["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == 'Bearer realm="chladni"'
        answer = await gateway.http.get("/api/v1/images", headers=bearer("secret-of-someone"))
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        answer = await gateway.http.post("/api/v1/generate", headers=bearer(READER), content=b"")
        assert (answer.status_code, error_of(answer)["code"]) == (403, "PERMISSION_DENIED")
        assert 'scope="write"' in answer.headers["www-authenticate"]
        assert (await gateway.http.get("/f/no-such-link")).status_code == 404
        for method, path in (("GET", "/f?image_id=x"), ("POST", "/f"), ("DELETE", "/f/no-such-link")):
            assert (await gateway.http.request(method, path)).status_code == 401
        for path in ("/api/v1/health", "/api/v1/openapi.json", "/static/styles/base.css", "/sign-in"):
            assert (await gateway.http.get(path)).status_code != 401
    assert "secret-of-someone" not in caplog.text
    assert ALICE not in caplog.text


@pytest.mark.asyncio(loop_scope="session")
async def test_a_browser_signs_in_with_its_token_and_out_again(guarded, token_file):
    async with guarded() as gateway, gateway.browser() as browser:
        first = await browser.get("/")
        assert (first.status_code, first.headers["location"]) == (303, "/sign-in")
        form = await browser.get("/sign-in")
        assert form.headers["referrer-policy"] == "same-origin"  # with none, a form has the origin null
        writer = await browser.post("/sign-in", data={"token": WRITER})
        assert (writer.status_code, "chladni_sign_in" in browser.cookies) == (403, False)
        wrong = await browser.post("/sign-in", data={"token": new_token()})
        assert wrong.status_code == 401
        assert "not known here" in wrong.text
        signed_in = await browser.post("/sign-in", data={"token": f" {ALICE} "})
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
        cookie = next(value for value in signed_in.headers.get_list("set-cookie") if "sign_in" in value)
        assert ALICE not in cookie
        assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get("/api/v1/images")).status_code == 200

        async with connect(
            f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/live",
            additional_headers={"Cookie": f"chladni_sign_in={browser.cookies['chladni_sign_in']}"},
        ) as socket:
            await socket.send('{"sample_rate_hz": 48000}')
            assert "ready" in await socket.recv()

        browser.cookies["chladni_sign_in"] = browser.cookies["chladni_sign_in"][:-4] + "AAAA"
        ended = await browser.get("/api/v1/images")
        assert ended.status_code == 401
        assert "The sign-in has ended" in ended.text
        again = await browser.get("/", follow_redirects=True)
        assert (again.url.path, "The sign-in has ended" in again.text) == ("/sign-in", True)
        await browser.post("/sign-in", data={"token": ALICE})
        assert browser.cookies["chladni_signed_in"] == "1"  # The page shows the button by it.
        await browser.post("/sign-out")
        assert "chladni_signed_in" not in browser.cookies
        assert (await browser.get("/api/v1/images")).status_code == 401
        await browser.post("/sign-in", data={"token": ALICE})
        token_file.write_text(line_of(BOB, name="bob", scopes=list(Scope)))
        async with asyncio.timeout(5):
            while (await browser.get("/api/v1/images")).status_code != 401:
                await asyncio.sleep(0.02)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_websocket_needs_a_token(guarded):
    async with guarded() as gateway:
        address = f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/live"
        with pytest.raises(InvalidStatus) as caught:
            async with connect(address):
                pass
        assert caught.value.response.status_code == 401
        async with connect(address, additional_headers=bearer(READER)) as socket:
            await socket.send('{"sample_rate_hz": 48000}')
            assert "ready" in await socket.recv()


@pytest.mark.asyncio(loop_scope="session")
async def test_open_streams_end_when_their_token_is_withdrawn(guarded, token_file):
    async with guarded() as gateway, asyncio.timeout(20):
        config = audio_pb2.StreamFeaturesRequest(config=audio_pb2.PcmConfig(sample_rate_hz=16000))

        def stream_as(token):
            return gateway.audio.StreamFeatures(metadata=metadata(token))

        withdrawn, kept = stream_as(BOB), stream_as(ALICE)
        for call in (withdrawn, kept):
            await call.write(audio_service_pb2.StreamFeaturesRequest(stream=config))
            assert (await call.read()).stream.HasField("ready")
        address = f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/live"
        async with connect(address, additional_headers=bearer(BOB)) as socket:
            await socket.send('{"sample_rate_hz": 48000}')
            assert "ready" in await socket.recv()
            lines = token_file.read_text().splitlines()
            token_file.write_text("\n".join(line for line in lines if not line.startswith("bob")))
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert caught.value.rcvd.code == 1008
        code, reason, facts = await refusal_of(withdrawn.read())
        assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
        assert facts["problem"] == "unknown"
        await kept.write(
            audio_service_pb2.StreamFeaturesRequest(stream=audio_pb2.StreamFeaturesRequest(pcm=bytes(8000)))
        )
        assert await kept.read() is not grpc.aio.EOF
        kept.cancel()


@pytest.mark.asyncio(loop_scope="session")
async def test_each_owner_has_a_rate_of_its_own_over_both_transports(guarded, error_of):
    async with guarded(rate_limit_per_minute=1, rate_limit_burst=2) as gateway:
        for token in (ALICE, BOB):
            statuses = [
                (await gateway.http.post("/api/v1/search", json={}, headers=bearer(token))).status_code
                for _ in range(3)
            ]
            assert statuses == [400, 400, 429]
        request = image_pb2.SearchImagesRequest()
        for _ in range(2):
            code, *_ = await refusal_of(gateway.images.SearchImages(request, metadata=metadata(ALICE)))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
        code, reason, _ = await refusal_of(gateway.images.SearchImages(request, metadata=metadata(ALICE)))
        assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        await gateway.server.GetServerInfo(
            server_service_pb2.GetServerInfoRequest(), metadata=metadata(ALICE)
        )


def test_what_changes_something_needs_the_scope_to_write():
    assert scope_of_method(f"/{SERVICE_NAMES[0]}/CreateImage") is Scope.WRITE
    for name in ("DeleteImage", "PinImage", "CancelJob", "CreateNormalSet", "Unheard", ""):
        assert scope_of_method(f"/chladni.gateway.v1.Any/{name}") is Scope.WRITE
    for name in ("GetImage", "ListJobs", "CompareImages", "StreamFeatures", "ScoreAnomaly"):
        assert scope_of_method(f"/chladni.gateway.v1.Any/{name}") is Scope.READ
    for method, path in (
        ("POST", "/api/v1/generate"),
        ("POST", "/api/v1/jobs"),
        ("POST", "/api/v1/jobs/x/cancel"),
        ("POST", "/api/v1/images/x/pin"),
        ("DELETE", "/api/v1/images/x/pin"),
        ("POST", "/api/v1/normal-sets"),
        ("DELETE", "/api/v1/compare"),
    ):
        assert scope_of_request(method, path) is Scope.WRITE
    for method, path in (("GET", "/api/v1/jobs"), ("POST", "/api/v1/compare"), ("POST", "/api/v1/search")):
        assert scope_of_request(method, path) is Scope.READ
