"""Uploads: their limits, their end, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import math
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chladni_contract.errors import DeadlineExceededError, FaultError, Reason
from chladni_gateway.rest.forms.fields import read_npy
from chladni_gateway.rest.forms.places import UploadPlaces

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


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=200_000), is_failing=st.booleans())
async def test_no_request_leaves_a_file_behind(
    backends, gateway, tmp_path_factory, monkeypatch, content, is_failing
):
    """Feature: voice-to-image-system, Property 13: Temporary File Cleanup."""
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
        # The folder of images is open while its entries are written to the disk.
        if target.startswith("/") and not target.startswith(("/dev", "/proc")) and not Path(target).is_dir():
            paths.add(target)
    return paths


@settings(max_examples=200)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    kind=st.sampled_from(["<f2", "<f4", ">f8"]),
    is_fortran=st.booleans(),
    data=st.data(),
)
def test_a_numpy_file_is_read_as_numpy_reads_it(shape, kind, is_fortran, data):
    numbers = st.floats(-1000, 1000, width=16)
    values = data.draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)))
    array = np.array(values, kind).reshape(shape)
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(array) if is_fortran else array)
    latents = read_npy(stream.getvalue())
    assert latents.shape == shape
    assert latents.data == array.astype("<f4").tobytes()
    damage = data.draw(st.integers(0, len(stream.getvalue()) - 1))
    with suppress(ValueError):
        read_npy(stream.getvalue()[:damage] + b"\xff" + stream.getvalue()[damage + 1 :])
    with pytest.raises(ValueError, match=r"no NumPy file|cut off"):
        read_npy(stream.getvalue()[:damage])


@settings(max_examples=100)
@given(st.binary(max_size=80).map(lambda tail: b"\x93NUMPY\1\0" + tail))
def test_what_is_no_numpy_file_is_refused(content):
    with pytest.raises(ValueError, match="no NumPy file"):
        read_npy(content)


async def test_an_upload_that_is_late_already_makes_room_without_harm_to_the_next():
    places = UploadPlaces(1, clock=itertools.count(step=10).__next__)
    loop = asyncio.get_running_loop()

    async def upload(seconds, timeout_seconds):
        async with places.hold(timeout_seconds):
            await asyncio.sleep(seconds)

    late = asyncio.create_task(upload(60, 0.05))
    await asyncio.sleep(0)
    coming = []

    def hold_the_loop_up():  # Until the next turn ends the first, after the second has come.
        time.sleep(0.06)
        loop.call_soon(lambda: coming.append(asyncio.create_task(upload(0, 30))))

    loop.call_soon(hold_the_loop_up)
    with pytest.raises(DeadlineExceededError):
        await late
    await coming[0]
