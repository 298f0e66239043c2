"""Renderings compared: pixels, terms, verdicts, and what cannot be compared."""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import chladni_client as chladni
from chladni_client.files import Upload
from chladni_client.reproduction.contract_terms import MEANINGS, differing_terms
from chladni_client.reproduction.reproduce import check_recording, read_original

AUDIO = b"RIFF, or so"
FACTS = {
    "model": "embedded",
    "model_digest": "cd" * 32,
    "recipe": "descriptors",
    "seed": 4_000_000_000,
    "steps": 20,
    "guidance_scale": 3.1,
    "scheduler": "DDIMScheduler",
    "width_pixels": 16,
    "height_pixels": 8,
    "audio_sha256": hashlib.sha256(AUDIO).hexdigest(),
    "conditioning_sha256": "ef" * 32,
    "dtype": "float32",
    "device": "cpu",
    "batch_size": 4,
    "thread_count": 2,
    "library_versions": {"torch": "2.13.0"},
    "reproducible": True,
    "device_capability": "AVX512",
    "decode_batch_size": 1,
}
PIXELS = bytes(range(128)) * 3


def png(pixels=PIXELS, *, mode="RGB", size=(16, 8), **facts):
    """Returns a PNG with provenance; facts that are `None` are left out."""
    text = PngImagePlugin.PngInfo()
    known = {name: value for name, value in (FACTS | facts).items() if value is not None}
    text.add_itxt("chladni", json.dumps(known))
    output = io.BytesIO()
    Image.frombytes("RGB", size, pixels).convert(mode).save(output, "PNG", pnginfo=text)
    return output.getvalue()


def changed(position, value):
    pixels = bytearray(PIXELS)
    pixels[position] = value
    return bytes(pixels)


def test_equal_pixels_are_identical_whatever_the_terms_and_the_compression():
    report = chladni.compare_renderings(png(), png(device="cuda", batch_size=8))
    assert report.verdict is chladni.Verdict.IDENTICAL
    assert report.pixels == chladni.PixelComparison(16, 8, 0, 0, math.inf)
    assert report.pixels.is_identical
    assert report.pixels.pixel_count == 128
    assert [term.name for term in report.differing_terms] == ["device", "batch_size"]


def test_one_bit_is_seen_and_without_a_differing_term_it_is_a_defect():
    report = chladni.compare_renderings(png(), png(changed(100, PIXELS[100] ^ 1)))
    assert (report.pixels.differing_pixel_count, report.pixels.largest_difference) == (1, 1)
    assert report.pixels.psnr_decibels == pytest.approx(10 * math.log10(255**2 * 3 * 128))
    assert report.differing_terms == ()
    assert report.verdict is chladni.Verdict.DEFECT


def test_differing_terms_explain_and_without_a_promise_none_is_broken():
    other = changed(0, 99)
    explained = chladni.compare_renderings(png(), png(other, thread_count=1))
    assert explained.verdict is chladni.Verdict.EXPLAINED
    inexact = chladni.compare_renderings(png(reproducible=False), png(other, reproducible=False))
    assert inexact.verdict is chladni.Verdict.INEXACT


@settings(max_examples=200)
@given(st.data())
def test_the_figures_are_those_of_the_definition(data):
    first = data.draw(st.binary(min_size=96, max_size=96))
    changes = data.draw(st.dictionaries(st.integers(0, 95), st.integers(0, 255), max_size=10))
    second = bytes(changes.get(position, value) for position, value in enumerate(first))
    size = {"size": (8, 4), "width_pixels": 8, "height_pixels": 4}
    pixels = chladni.compare_renderings(png(first, **size), png(second, **size)).pixels
    differences = [abs(a - b) for a, b in zip(first, second, strict=True)]
    assert pixels.largest_difference == max(differences)
    assert pixels.differing_pixel_count == sum(any(differences[i : i + 3]) for i in range(0, 96, 3))
    mean_square = sum(value**2 for value in differences) / 96
    expected = 10 * math.log10(255**2 / mean_square) if mean_square else math.inf
    assert pixels.psnr_decibels == pytest.approx(expected)


def test_the_difference_is_drawn_stretched():
    drawn = Image.open(io.BytesIO(chladni.draw_difference(png(), png(changed(4, PIXELS[4] + 5)))))
    pixels = drawn.tobytes()
    assert drawn.size == (16, 8)
    assert pixels[4] == 255
    assert sum(pixels) == 255
    assert not any(Image.open(io.BytesIO(chladni.draw_difference(png(), png()))).tobytes())


def test_every_field_of_the_provenance_has_a_meaning():
    assert set(MEANINGS) == {field.name for field in fields(chladni.Provenance)}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("model_digest", "00" * 32, "00" * 32),
        ("conditioning_sha256", "11" * 32, "11" * 32),
        ("dtype", "bfloat16", "bfloat16"),
        ("device", "cuda", "cuda"),
        ("device_capability", "sm_90", "sm_90"),
        ("device_capability", "", "not recorded"),
        ("batch_size", 8, "8"),
        ("decode_batch_size", 0, "not recorded"),
        ("thread_count", 0, "0"),
        ("reproducible", False, "no"),
        ("seed", 0, "0"),
        ("guidance_scale", 3.1000000000000005, "3.1000000000000005"),
    ],
)
def test_every_term_that_differs_is_told_with_both_values(name, value, told):
    provenance = chladni.read_provenance(png())
    (term,) = differing_terms(provenance, replace(provenance, **{name: value}))
    assert (term.name, term.rendering, term.meaning) == (name, told, MEANINGS[name])
    assert term.original not in {told, "not recorded"}


def test_libraries_are_told_one_by_one():
    provenance = chladni.read_provenance(png())
    other = replace(provenance, library_versions={"torch": "2.14.0", "numpy": "2.4.6"})
    terms = {term.name: (term.original, term.rendering) for term in differing_terms(provenance, other)}
    assert terms == {
        "library_versions.torch": ("2.13.0", "2.14.0"),
        "library_versions.numpy": ("not recorded", "2.4.6"),
    }


def test_an_image_of_an_earlier_version_is_compared_by_what_it_recorded():
    early = png(reproducible=None, device_capability=None, decode_batch_size=None)
    report = chladni.compare_renderings(early, png(reproducible=False))
    terms = {term.name: term.original for term in report.differing_terms}
    assert terms == {"device_capability": "not recorded", "decode_batch_size": "not recorded"}


def test_images_of_different_sizes_are_not_compared():
    with pytest.raises(chladni.InvalidInputError, match=r"16 x 8 and 8 x 16 pixels"):
        chladni.compare_renderings(png(), png(size=(8, 16)))


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1"])
def test_pixels_of_another_kind_are_not_chladnis(mode):
    with pytest.raises(chladni.InvalidInputError, match="not RGB with 8 bits"):
        read_original(png(mode=mode))


def test_an_image_whose_size_was_changed_is_told(tmp_path):
    path = tmp_path / "voice.png"
    path.write_bytes(png(size=(8, 16)))
    with pytest.raises(
        chladni.InvalidInputError, match=r"voice\.png has 8 x 16 pixels, but was made with 16 x 8"
    ):
        read_original(path)


@pytest.mark.parametrize(
    "missing", ["audio_sha256", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels"]
)
def test_a_provenance_that_says_too_little_is_told(missing):
    with pytest.raises(chladni.ProvenanceError, match=f"says nothing of {missing}") as caught:
        read_original(png(**{missing: None}))
    assert caught.value.reason == "NO_PROVENANCE"


def test_an_image_of_another_program_is_told(png_of):
    with pytest.raises(chladni.ProvenanceError, match="The image carries no provenance"):
        read_original(png_of())
    with pytest.raises(chladni.ProvenanceError, match="The image is not a PNG"):
        read_original(b"GIF89a")


def test_another_recording_is_told_with_the_beginnings_of_both_digests():
    original = read_original(png())
    check_recording(original, Upload(AUDIO, "voice.wav"))
    with pytest.raises(chladni.InvalidInputError) as caught:
        check_recording(original, Upload(b"another", "flute.wav"))
    assert caught.value.reason == "DIFFERENT_RECORDING"
    assert hashlib.sha256(b"another").hexdigest()[:12] in caught.value.message
    assert hashlib.sha256(AUDIO).hexdigest()[:12] in caught.value.message
    assert caught.value.message.startswith("flute.wav is not what The image was made of")


def test_a_huge_image_is_refused_before_it_is_unpacked():
    content = bytearray(png(width_pixels=20000, height_pixels=20000))
    content[16:24] = (20000).to_bytes(4, "big") * 2
    with pytest.raises(chladni.InvalidInputError, match="20000 x 20000 pixels; at most"):
        read_original(bytes(content))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_another_error(data):
    content = bytearray(png())
    length = data.draw(st.integers(0, len(content)))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        original = read_original(bytes(content[:length]))
    except chladni.InvalidInputError:
        return
    assert original.provenance.seed == 4_000_000_000
