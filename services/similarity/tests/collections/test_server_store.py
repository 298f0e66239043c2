"""A Qdrant server that is not there, refuses or fails: what needs no server to be tested."""

from __future__ import annotations

import asyncio
import http.server
import ssl
import subprocess
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from chladni_contract.errors import Reason, UnavailableError
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.settings import SettingsError, load_settings
from chladni_similarity.collections.interface import (
    CollectionLimits,
    ServerAccess,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.opening import open_store
from chladni_similarity.config import SimilaritySettings

SPACE = VectorSpace(VectorKind.IMAGE, "see", "0123456789abcdef", 2)
LIMITS = CollectionLimits(max_collections=3, max_images=100)
VECTOR = np.array([1, 0], np.float32)


def opened(access):
    return open_store(access, spaces=[SPACE], limits=LIMITS, max_waiting=9)


@contextmanager
def answering(status, headers=(), *, certificate=None):
    """Runs a web server with one answer to everything; gives its port, and the keys that it was sent."""
    keys = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            keys.append(self.headers.get("api-key"))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port, keys
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def failure_of(store):
    with pytest.raises(UnavailableError) as caught:
        await store.search("things", VectorKind.IMAGE, VECTOR, 10, CancellationToken())
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert "127.0.0.1" not in caught.value.message
    return caught.value


async def test_a_server_that_is_down_is_an_outage_and_no_reason_not_to_start(unused_tcp_port):
    async with opened(ServerAccess(f"http://127.0.0.1:{unused_tcp_port}")) as store:
        error = await failure_of(store)
        assert "does not answer" in error.message
        assert error.retry_after_seconds > 0
        image = StoredImage("a", {VectorKind.IMAGE: VECTOR})
        calls = (
            store.add("things", [image], CancellationToken()),
            store.delete("things", ["a"], CancellationToken()),
            store.sizes(CancellationToken()),
        )
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [UnavailableError] * 3


@pytest.mark.parametrize(
    ("status", "headers", "complaint"),
    [
        (503, (), "the Qdrant server fails"),
        (500, (), "the Qdrant server fails"),
        (401, (), "refuses this service"),
        (403, (), "refuses this service"),
        (429, (("Retry-After", "7"),), "too much to do"),
        (200, (), "does not answer"),  # something that is no Qdrant server
    ],
)
async def test_a_server_that_fails_is_an_outage(status, headers, complaint):
    with answering(status, headers) as (port, keys):
        async with opened(ServerAccess(f"http://127.0.0.1:{port}/")) as store:
            error = await failure_of(store)
    assert complaint in error.message
    assert error.retry_after_seconds == (7 if headers else 2)
    assert keys == [None]


async def test_the_key_travels_to_a_server_that_is_trusted_and_to_no_other(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    openssl += ["-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1"]
    try:
        await asyncio.to_thread(
            subprocess.run,
            [*openssl, "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("NOT TESTED: TLS to a Qdrant server needs the command openssl")
    with answering(401, certificate=(certificate, key)) as (port, keys):
        access = ServerAccess(f"https://127.0.0.1:{port}", api_key="k3y", ca_file=certificate)
        assert "k3y" not in repr(access)
        async with opened(access) as store:
            assert "refuses this service" in (await failure_of(store)).message
        assert keys == ["k3y"]
        async with opened(ServerAccess(access.url, api_key="k3y")) as store:
            assert "does not answer" in (await failure_of(store)).message
        assert keys == ["k3y"]


def environ(**settings):
    return {f"CHLADNI_SIMILARITY_{name.upper()}": value for name, value in settings.items()}


def test_settings_say_where_collections_are():
    def location(**settings):
        return load_settings(SimilaritySettings, environ(**settings)).store_location

    assert location() is None
    assert str(location(collections="/var/lib/chladni/collections")) == "/var/lib/chladni/collections"
    access = location(collections="https://qdrant:6333", qdrant_api_key="k3y", qdrant_timeout_seconds="9")
    assert access == ServerAccess("https://qdrant:6333", api_key="k3y", timeout_seconds=9)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"collections": "relative/folder"}, "CHLADNI_SIMILARITY_COLLECTIONS"),
        ({"collections": "http://qdrant:6333", "qdrant_api_key": "k3y"}, "https"),
        ({"max_images_per_collection": "63"}, "MAX_IMAGES_PER_COLLECTION"),
        ({"max_collections": "0"}, "MAX_COLLECTIONS"),
    ],
)
def test_wrong_settings_are_named_and_no_key_is_shown(settings, complaint):
    with pytest.raises(SettingsError, match=complaint) as caught:
        load_settings(SimilaritySettings, environ(**settings))
    assert "k3y" not in str(caught.value)
    shown = repr(load_settings(SimilaritySettings, environ(collections="https://q", qdrant_api_key="k3y")))
    assert "k3y" not in shown
