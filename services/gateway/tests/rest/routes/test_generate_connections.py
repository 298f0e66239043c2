"""Connections of `POST /api/v1/generate`: clients that leave, deadlines, silence."""

from __future__ import annotations

import asyncio
import socket
import struct

import httpx
import pytest


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_client_that_leaves_stops_the_denoising(backends, gateway, eventually, accept):
    cancelled = await gateway.metric("chladni_creations_total", outcome="CANCELLED")
    backends.image_generation.may_go_on.clear()
    creation = asyncio.create_task(
        gateway.http.post("/api/v1/generate", files={"file": ("a.wav", b"RIFF")}, headers={"Accept": accept})
    )
    await eventually(lambda: backends.image_generation.running == 1)
    creation.cancel()
    await eventually(lambda: backends.image_generation.cancelled == 1)
    assert backends.image_generation.running == 0
    async with asyncio.timeout(5):
        while await gateway.metric("chladni_creations_total", outcome="CANCELLED") != cancelled + 1:
            await asyncio.sleep(0.01)


async def test_a_reader_that_leaves_in_the_middle_of_its_events_stops_the_denoising(
    backends, gateway, eventually
):
    backends.image_generation.pause_after_step = 3
    backends.image_generation.may_go_on.clear()
    async with gateway.http.stream(
        "POST",
        "/api/v1/generate",
        files={"file": ("a.wav", b"RIFF")},
        headers={"Accept": "text/event-stream"},
    ) as response:
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if text.count("event: progress") == 3:
                break
    await eventually(lambda: backends.image_generation.cancelled == 1)
    assert backends.image_generation.running == 0


@pytest.mark.parametrize("accept", [b"application/json", b"text/event-stream"])
async def test_a_connection_that_is_reset_stops_the_denoising(backends, gateway, eventually, accept):
    backends.image_generation.may_go_on.clear()
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nRIFF\r\n--b--\r\n'
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
    writer.write(
        b"POST /api/v1/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: %s\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n%s" % (accept, len(body), body)
    )
    await eventually(lambda: backends.image_generation.running == 1)
    # Without lingering the connection ends in a reset, as that of a program that was killed may.
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await eventually(lambda: backends.image_generation.cancelled == 1)


async def test_a_client_that_leaves_before_the_generation_keeps_it_from_starting(
    backends, gateway, eventually
):
    given_up = await gateway.metric("chladni_creations_total", outcome="CANCELLED")
    backends.audio_features.may_go_on.clear()
    creation = asyncio.create_task(gateway.create())
    await eventually(lambda: len(backends.audio_features.requests) == 1)
    creation.cancel()
    async with asyncio.timeout(5):
        while await gateway.metric("chladni_creations_total", outcome="CANCELLED") != given_up + 1:
            await asyncio.sleep(0.01)
    backends.audio_features.may_go_on.set()
    assert (await gateway.create(seed="8")).status_code == 200
    assert [request.options.seed for request, _ in backends.image_generation.requests] == [8]


async def test_the_deadline_and_the_request_identifier_travel_along(backends, open_gateway_with):
    async with open_gateway_with(creation_timeout_seconds=33) as gateway:
        response = await gateway.http.post(
            "/api/v1/generate", files={"file": ("a.wav", b"RIFF")}, headers={"X-Request-Id": "abc-123"}
        )
    assert response.headers["x-request-id"] == "abc-123"
    _, metadata = backends.image_generation.requests[0]
    assert metadata["x-request-id"] == "abc-123"
    assert 0 < backends.image_generation.remaining_seconds[0] < 34


async def test_a_deadline_that_passes_names_the_stage(backends, open_gateway_with, error_of, eventually):
    backends.image_generation.may_go_on.clear()
    async with open_gateway_with(creation_timeout_seconds=1.5) as gateway:
        response = await gateway.create()
        assert response.status_code == 504
        error = error_of(response)
        assert (error["code"], error["stage"]) == ("DEADLINE_EXCEEDED", "image_generation")
        await eventually(lambda: backends.image_generation.running == 0)


async def test_silence_on_an_event_stream_is_bridged(backends, gateway, monkeypatch):
    monkeypatch.setattr("chladni_gateway.rest.sse._HEARTBEAT_SECONDS", 0.02)
    backends.image_generation.may_go_on.clear()
    async with gateway.http.stream(
        "POST",
        "/api/v1/generate",
        files={"file": ("a.wav", b"RIFF")},
        headers={"Accept": "text/event-stream"},
    ) as response:
        assert isinstance(response, httpx.Response)
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if text.count(": still here") > 2:
                backends.image_generation.may_go_on.set()
    assert "event: created" in text
