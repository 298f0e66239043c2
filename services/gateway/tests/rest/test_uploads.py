"""Uploads: their limits, their end, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chladni_contract.errors import FaultError, Reason

EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MEBIBYTE = 1024 * 1024
UPLOAD_PATHS = pytest.mark.parametrize("path", ["/api/v1/generate", "/api/v1/jobs", "/api/v1/spectrogram"])


async def test_a_client_that_leaves_during_its_upload_leaves_nothing_behind(backends, gateway):
    given_up = await gateway.metric("chladni_http_requests_total", status="499")
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
    writer.write(
        b"POST /api/v1/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while await gateway.metric("chladni_http_requests_total", status="499") != given_up + 1:
            await asyncio.sleep(0.01)
    assert backends.audio_features.requests == []


async def test_the_largest_file_passes_and_one_byte_more_does_not(gateway, error_of):
    assert (await gateway.create(b"R" * 10 * MEBIBYTE)).status_code == 200
    response = await gateway.create(b"R" * (10 * MEBIBYTE + 1))
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("FILE_TOO_LARGE", "validation")
    assert "file is larger than 10 MiB" in error["message"]


@UPLOAD_PATHS
async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(open_gateway_with, error_of, path):
    async def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        for _ in range(200):
            yield b"x" * 10_000

    async with open_gateway_with(max_audio_bytes=100_000) as gateway:
        response = await gateway.http.post(
            path,
            content=endless(),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
    assert response.status_code == 400
    assert error_of(response)["code"] == "FILE_TOO_LARGE"


@pytest.mark.parametrize("path", ["/api/v1/compare", "/api/v1/compare/matrix", "/api/v1/search"])
async def test_a_question_of_unknown_length_is_cut_off_at_the_limit(gateway, error_of, path):
    async def endless():
        for _ in range(200):
            yield b"[" * 10_000

    response = await gateway.http.post(path, content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    error = error_of(response)
    assert error["code"] == "MESSAGE_TOO_LARGE"
    assert "65536 bytes" in error["message"]


@UPLOAD_PATHS
async def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(gateway, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
    writer.write(
        b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n"
        b"Expect: 100-continue\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n" % path.encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    body = json.loads(await reader.readexactly(length))
    assert body["error"]["code"] == "FILE_TOO_LARGE"
    writer.close()
    await writer.wait_closed()


@UPLOAD_PATHS
async def test_an_upload_that_takes_too_long_is_given_up(open_gateway_with, path):
    async with open_gateway_with(upload_timeout_seconds=0.1) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
        writer.write(
            b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b" % path.encode()
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 504")
        writer.close()
        await writer.wait_closed()


@EXAMPLES
@given(content=st.binary(min_size=1, max_size=200_000), is_failing=st.booleans())
async def test_no_request_leaves_a_file_behind(
    backends, gateway, tmp_path_factory, monkeypatch, content, is_failing
):
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    backends.image_generation.error = FaultError(Reason.OUT_OF_MEMORY, "Too big.") if is_failing else None
    descriptors = open_files()
    response = await gateway.create(content)
    assert response.status_code == (503 if is_failing else 200)
    assert list(folder.iterdir()) == []
    assert open_files() <= descriptors
    assert not list(gateway.settings.image_folder.glob("*.tmp"))


def open_files():
    """The regular files that this process has open, by path."""
    paths = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("/") and not target.startswith(("/dev", "/proc")):
            paths.add(target)
    return paths
