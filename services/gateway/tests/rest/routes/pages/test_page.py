"""The page's files: compressed where the browser takes that, and asked for again at the least cost."""

from __future__ import annotations

import gzip
import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_gateway.rest.routes.pages.page import StaticFile, accepts_gzip, read_folder

SCRIPT = "/static/scripts/app.js"


async def get(gateway, path, encoding, **headers):
    """The answer as it comes over the wire: status, headers, bytes."""
    headers = {"Accept-Encoding": encoding} | headers
    async with gateway.http.stream("GET", path, headers=headers) as response:
        return response, b"".join([part async for part in response.aiter_raw()])


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("*", True),
        ("x-gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("*;q=0.1, gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=much", False),
        ("notgzip", False),
    ],
)
def test_gzip_is_used_exactly_where_the_client_allows_it(header, accepted):
    assert accepts_gzip(header) is accepted


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_accept_encoding_has_an_answer(header):
    assert accepts_gzip(header) in {True, False}


@pytest.mark.parametrize("path", ["/", SCRIPT, "/static/styles/joined/index.css", "/static/pdf.svg"])
async def test_a_file_is_the_same_compressed_and_plain(gateway, path):
    plain, content = await get(gateway, path, "identity")
    packed, compressed = await get(gateway, path, "gzip, deflate, br")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(compressed) == content
    assert len(compressed) == int(packed.headers["content-length"]) < len(content)
    assert plain.headers["etag"] != packed.headers["etag"]
    for response in (plain, packed):
        assert response.headers["vary"] == "Accept-Encoding"
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["content-type"] == plain.headers["content-type"]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_known_file_is_not_sent_again(gateway, encoding):
    first, _ = await get(gateway, SCRIPT, encoding)
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again, content = await get(gateway, SCRIPT, encoding, **{"If-None-Match": known})
        assert (again.status_code, content) == (304, b"")
        assert (again.headers["etag"], again.headers["vary"]) == (tag, "Accept-Encoding")
    other_encoding = "gzip" if encoding == "identity" else "identity"
    other, content = await get(gateway, SCRIPT, other_encoding, **{"If-None-Match": tag})
    assert other.status_code == 200
    assert content


async def test_the_head_of_a_file_tells_of_it_without_its_bytes(gateway):
    whole, content = await get(gateway, SCRIPT, "gzip")
    head = await gateway.http.head(SCRIPT, headers={"Accept-Encoding": "gzip"})
    assert head.status_code == 200
    assert head.headers["etag"] == whole.headers["etag"]
    assert int(head.headers["content-length"]) == len(content)


async def test_only_files_are_compressed(gateway):
    """Events must come at once, images are compressed already, and small answers are not worth it."""
    image_url = (await gateway.create(steps=1)).json()["image_url"]
    for path in ("/api/v1/info", "/api/v1/openapi.json", image_url):
        response, _ = await get(gateway, path, "gzip")
        assert response.status_code == 200
        assert "content-encoding" not in response.headers


def test_what_does_not_shrink_stays_as_it_is_and_its_tag_follows_from_its_bytes(tmp_path):
    noise = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(32))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "noise.bin").write_bytes(noise)
    (tmp_path / "again.bin").write_bytes(noise)
    contents = read_folder(tmp_path)
    assert set(contents) == {"folder/noise.bin", "again.bin"}
    file = contents["folder/noise.bin"]
    assert (file.content, file.compressed, file.media_type) == (noise, None, "application/octet-stream")
    assert file == contents["again.bin"] == StaticFile.read(tmp_path / "again.bin")


def test_no_script_shows_the_file_of_an_image_that_may_be_a_pdf_as_an_image():
    folder = Path(str(files("chladni_gateway") / "web/scripts"))
    scripts = {path.name: path.read_text() for path in folder.rglob("*.js")}
    assert "shownAddressOf(image)" in scripts["gallery.js"]
    assert {name for name, text in scripts.items() if re.search(r"src(:| =) \w+[.]image_url", text)} == set()
