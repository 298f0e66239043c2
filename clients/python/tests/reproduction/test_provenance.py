"""The provenance inside image files, of every kind of text chunk and every kind of damage."""

from __future__ import annotations

import io
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import chladni_client as chladni
from chladni_contract.images.file_metadata import exif_of

FACTS = {
    "model": "embedded",
    "model_digest": "cd" * 32,
    "recipe": "descriptors",
    "seed": 4_000_000_000,
    "steps": 20,
    "guidance_scale": 3.1,
    "scheduler": "DDIMScheduler",
    "width_pixels": 512,
    "height_pixels": 512,
    "audio_sha256": "ab" * 32,
    "conditioning_sha256": "ef" * 32,
    "dtype": "float32",
    "device": "cpu",
    "batch_size": 1,
    "thread_count": 2,
    "library_versions": {"torch": "2.13.0"},
    "reproducible": True,
    "device_capability": "AVX512",
    "decode_batch_size": 4,
}
TEXT = json.dumps(FACTS).encode()


def international(text, *, compressed=False):
    data = zlib.compress(text) if compressed else text
    return b"chladni\0" + bytes([compressed, 0]) + b"en\0translated\0" + data


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"chladni\0" + TEXT),
        (b"zTXt", b"chladni\0\0" + zlib.compress(TEXT)),
        (b"iTXt", international(TEXT)),
        (b"iTXt", international(TEXT, compressed=True)),
    ],
)
def test_every_kind_of_text_chunk_is_read(png_of, chunk):
    others = [(b"tEXt", b"Software\0Something"), (b"iTXt", b"Title\0\0\0\0\0T")]
    provenance = chladni.read_provenance(png_of(*others, chunk))
    assert {name: getattr(provenance, name) for name in FACTS} == FACTS


def test_what_pillow_writes_is_read(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("chladni", TEXT.decode(), zip=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "image.png", pnginfo=text)
    assert chladni.read_provenance(tmp_path / "image.png").seed == 4_000_000_000
    with (tmp_path / "image.png").open("rb") as file:
        assert chladni.read_provenance(file).steps == 20


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_exif_is_read(tmp_path, image_format):
    path = tmp_path / "image"
    Image.new("RGB", (32, 32)).save(path, format=image_format, exif=exif_of(TEXT.decode()))
    assert chladni.read_provenance(path).seed == 4_000_000_000
    Image.new("RGB", (32, 32)).save(path, format=image_format)
    with pytest.raises(chladni.ProvenanceError, match="carries no provenance"):
        chladni.read_provenance(path)


def test_facts_of_later_versions_are_passed_over_and_missing_ones_are_empty(png_of):
    text = json.dumps({"seed": 7, "phase_of_the_moon": "waning"}).encode()
    provenance = chladni.read_provenance(png_of((b"tEXt", b"chladni\0" + text)))
    assert (provenance.seed, provenance.model, provenance.audio_sha256) == (7, "", "")
    assert (provenance.reproducible, provenance.device_capability, provenance.decode_batch_size) == (
        False,
        "",
        0,
    )


def test_a_png_without_provenance_says_so(png_of, tmp_path):
    path = tmp_path / "screenshot.png"
    path.write_bytes(png_of())
    with pytest.raises(chladni.ProvenanceError, match=r"screenshot\.png carries no provenance") as caught:
        chladni.read_provenance(path)
    assert caught.value.reason == "NO_PROVENANCE"


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"RIFF", b"\x89PNG"])
def test_other_files_are_told_apart(content):
    with pytest.raises(chladni.ProvenanceError, match="not a PNG") as caught:
        chladni.read_provenance(content)
    assert caught.value.reason == "INVALID_IMAGE"


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"chladni\0not json"),
        (b"tEXt", b"chladni\0[1, 2]"),
        (b"tEXt", b'chladni\0{"seed": "many"}'),
        (b"tEXt", b'chladni\0{"seed": -1}'),
        (b"zTXt", b"chladni\0\0not deflated"),
        (b"zTXt", b"chladni\0\0" + zlib.compress(TEXT)[:-6]),
        (b"zTXt", b"chladni\0\0" + zlib.compress(bytes(8 * 1024 * 1024))),
        (b"iTXt", b"chladni\0\0"),
        (b"iTXt", international(b"\xff\xfe")),
    ],
)
def test_damaged_provenance_is_told(png_of, chunk):
    with pytest.raises(chladni.ProvenanceError, match="damaged"):
        chladni.read_provenance(png_of(chunk))


def test_a_changed_bit_is_noticed(png_of):
    png = png_of((b"tEXt", b"chladni\0" + TEXT)).replace(b"embedded", b"embeddad")
    with pytest.raises(chladni.ProvenanceError, match="damaged"):
        chladni.read_provenance(png)


@settings(max_examples=300)
@given(st.data())
def test_no_damage_escapes_as_another_error(png_of, data):
    png = bytearray(png_of((b"iTXt", international(TEXT, compressed=True))))
    length = data.draw(st.integers(8, len(png)))
    for _ in range(data.draw(st.integers(0, 3))):
        png[data.draw(st.integers(8, len(png) - 1))] = data.draw(st.integers(0, 255))
    try:
        provenance = chladni.read_provenance(io.BytesIO(bytes(png[:length])))
    except chladni.ProvenanceError:
        return
    assert provenance.seed == 4_000_000_000
