"""Images of shapes as files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from chladni_contract.images.file_metadata import find_text
from chladni_contract.images.vector_metadata import vector_format_of
from chladni_contract.provenance import Provenance
from chladni_contract.provenance_messages import parse_provenance
from chladni_image_generation.generation import ImageFormat
from chladni_image_generation.vector_codec import encode_vector
from chladni_image_generation.vector_image import Colour, DotLayer, VectorImage

PROVENANCE = Provenance(model="m", seed=7, prompt="<Grüße & \u4e16>", library_versions={"torch": "2"})
DOTS = np.random.default_rng(3).uniform(0, 60, (200, 2))
IMAGE = VectorImage(
    width=80,
    height=60,
    ground=(Colour(50, 40, 30), Colour(20, 20, 20), Colour(0, 0, 0)),
    lines=(np.array([[1.0, 2.0], [30.5, 4.25], [-2.0, 60.0]]), np.array([[5.0, 5.0], [6.0, 7.0]])),
    line_colour=Colour(90, 90, 90, 0.5),
    line_width=0.5,
    dots=DOTS,
    layers=(DotLayer(Colour(0, 0, 0, 0.4), 0.8, right=0.5, down=0.6), DotLayer(Colour(250, 240, 230), 0.8)),
)
SVG = "{http://www.w3.org/2000/svg}"
UNITS = 64


@pytest.mark.parametrize("image_format", [ImageFormat.SVG, ImageFormat.PDF])
def test_a_file_has_its_format_and_its_provenance_and_is_the_same_each_time(image_format):
    content = encode_vector(IMAGE, PROVENANCE, image_format)
    assert vector_format_of(content) == image_format.lower()
    assert parse_provenance(find_text(content)) == PROVENANCE
    assert encode_vector(IMAGE, PROVENANCE, image_format) == content


def test_formats_of_pixels_are_refused():
    with pytest.raises(ValueError, match="pixels"):
        encode_vector(IMAGE, PROVENANCE, ImageFormat.PNG)


def in_order(points):
    return sorted(map(tuple, np.rint(np.asarray(points)).astype(int).tolist()))


def test_an_svg_is_well_formed_and_has_every_dot_once():
    root = ET.fromstring(encode_vector(IMAGE, PROVENANCE, ImageFormat.SVG))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("80", "60", "0 0 80 60")
    paths = {path.get("id"): path.get("d") for path in root.iter(f"{SVG}path")}
    moves = re.findall(r"m(-?\d+) ?(-?\d+)h0", paths["dots"])
    assert "".join(f"m{x}{'' if y.startswith('-') else ' '}{y}h0" for x, y in moves) == paths["dots"]
    assert in_order(np.cumsum(np.array(moves, dtype=int), axis=0)) == in_order(DOTS * UNITS)
    assert paths["lines"].startswith("M64 128l1888 144 ")
    layers = list(root.iter(f"{SVG}use"))
    assert [layer.get("stroke") for layer in layers] == ["#000000", "#faf0e6"]
    assert [layer.get("x") for layer in layers] == ["32", "0"]


def streams_of(pdf):
    found = re.findall(rb"/FlateDecode /Length (\d+) >>\nstream\n", pdf)
    starts = [match.end() for match in re.finditer(rb"/FlateDecode /Length \d+ >>\nstream\n", pdf)]
    return [
        zlib.decompress(pdf[start : start + int(length)]).decode()
        for start, length in zip(starts, found, strict=True)
    ]


def test_a_pdf_has_its_size_in_points_and_every_dot_and_line():
    pdf = encode_vector(IMAGE, PROVENANCE, ImageFormat.PDF)
    assert b"/MediaBox [0 0 60 45]" in pdf
    content, dots = streams_of(pdf)
    places = re.findall(r"^(-?\d+) (-?\d+) m \1 \2 l$", dots, re.MULTILINE)
    assert in_order(np.array(places, dtype=int)) == in_order(DOTS * UNITS)
    assert content.count("/Dots Do") == 2
    assert "64 128 m 1952 272 l -128 3840 l S" in content


def test_the_table_of_a_pdf_points_at_its_objects():
    pdf = encode_vector(IMAGE, PROVENANCE, ImageFormat.PDF)
    table_at = int(re.search(rb"startxref\n(\d+)\n", pdf)[1])
    offsets = [int(offset) for offset in re.findall(rb"^(\d{10}) 00000 n ", pdf[table_at:], re.MULTILINE)]
    assert len(offsets) == 7
    assert all(pdf[at:].startswith(f"{number} 0 obj".encode()) for number, at in enumerate(offsets, 1))


@pytest.mark.parametrize("image_format", [ImageFormat.SVG, ImageFormat.PDF])
def test_an_image_without_dots_and_lines_is_a_file_too(image_format):
    empty = VectorImage(8, 8, IMAGE.ground, (), Colour(0, 0, 0), 1.0, np.zeros((0, 2)), IMAGE.layers)
    assert find_text(encode_vector(empty, PROVENANCE, image_format))
