"""Files are fetched once, continued where they stopped, and checked. Nothing is fetched from elsewhere."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chladni_image_generation.training.diffusion.download import PUBLISHED, RemoteFile, download
from chladni_training.errors import DataError, StorageError

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def server():
    """A server of one file that notes which range was asked for, and sends no more than it is told to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            self.server.ranges.append(asked)
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            self.send_response(206 if asked else 200)
            self.end_headers()
            self.wfile.write(self.server.content[first : self.server.limit])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges, server.content, server.limit = [], CONTENT, None
        server.url = f"http://127.0.0.1:{server.server_port}/images.gz"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def remote(server, content=CONTENT):
    return RemoteFile(server.url, len(content), hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once(server, tmp_path):
    for _ in range(2):
        download([remote(server)], tmp_path / "new")
    assert (tmp_path / "new" / "images.gz").read_bytes() == CONTENT
    assert server.ranges == [None]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["images.gz"]


def test_md5_is_taken_where_that_is_what_is_published(server, tmp_path):
    digest = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    download([RemoteFile(server.url, len(CONTENT), digest)], tmp_path)
    assert (tmp_path / "images.gz").exists()


def test_a_file_that_was_cut_short_is_continued(server, tmp_path):
    server.limit = 1000
    with pytest.raises(DataError, match="ended after 1000 of 10240 bytes; run the same command again"):
        download([remote(server)], tmp_path)
    assert not (tmp_path / "images.gz").exists()
    server.limit = None
    download([remote(server)], tmp_path)
    assert server.ranges == [None, "bytes=1000-"]
    assert (tmp_path / "images.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT + b"more"])
def test_another_file_is_refused_and_removed(server, tmp_path, content):
    server.content = content
    with pytest.raises(DataError, match="is not the file that was published"):
        download([remote(server)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_fetched_or_written_is_named(server, tmp_path):
    with pytest.raises(DataError, match="cannot be fetched"):
        download([RemoteFile("http://127.0.0.1:1/images.gz", 1, "0" * 64)], tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"):
        download([remote(server)], tmp_path / "file" / "folder")


def test_the_published_sets_are_whole():
    assert [len(PUBLISHED[name]) for name in ("mnist", "fashion-mnist", "cifar10")] == [4, 4, 1]
    for files in PUBLISHED.values():
        assert all(file.url.startswith("https://") and len(file.digest) in (32, 64) for file in files)
