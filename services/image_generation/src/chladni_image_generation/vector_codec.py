"""Images of shapes as SVG and PDF files that carry their provenance.

A dot is a line of no length with round ends: seven bytes instead of the sixty of a circle. All layers draw
the same dots, which a file holds once.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_contract.images.vector_metadata import provenance_element
from chladni_contract.provenance import Provenance
from chladni_image_generation.generation import ImageFormat
from chladni_image_generation.vector_image import Colour, DotLayer, VectorImage

_UNITS_PER_PIXEL: Final = 64
"""Places of dots and of the points of lines are whole multiples of one in so many parts of a pixel."""

_POINTS_PER_PIXEL: Final = 0.75
_ROWS_OF_DOTS: Final = 64


def encode_vector(image: VectorImage, provenance: Provenance, image_format: ImageFormat) -> bytes:
    """Return an image as the file of a vector format.

    Equal arguments give equal bytes: the file holds no time.

    Raises:
        ValueError: The format is one of pixels.
    """
    match image_format:
        case ImageFormat.SVG:
            return _svg(image, provenance.to_json()).encode()
        case ImageFormat.PDF:
            return _pdf(image, provenance.to_json())
        case _:
            raise ValueError(f"{image_format} holds pixels, not shapes")


def _svg(image: VectorImage, text: str) -> str:
    width, height, scale = image.width, image.height, _UNITS_PER_PIXEL
    steps = len(image.ground) - 1
    stops = "".join(
        f'<stop offset="{index / steps:.3g}" stop-color="{_hex(colour)}"/>'
        for index, colour in enumerate(image.ground)
    )
    lines = "".join(_relative_path(line) for line in image.lines)
    layers = "\n".join(
        f'<use xlink:href="#dots" x="{_number(layer.right * scale)}" y="{_number(layer.down * scale)}" '
        f'stroke="{_hex(layer.colour)}" stroke-opacity="{layer.colour.opacity:g}" '
        f'stroke-width="{_number(2 * layer.radius * scale)}"/>'
        for layer in image.layers
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" \
width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<metadata>{provenance_element(text)}</metadata>
<defs>
<radialGradient id="ground" cx="0.5" cy="0.5" r="{math.sqrt(0.5):.5f}">{stops}</radialGradient>
<path id="dots" d="{_dots_of_svg(image.dots)}"/>
</defs>
<rect width="{width}" height="{height}" fill="url(#ground)"/>
<g transform="scale({1 / scale:g})" fill="none" stroke-linecap="round" stroke-linejoin="round">
<path id="lines" stroke="{_hex(image.line_colour)}" stroke-opacity="{image.line_colour.opacity:g}" \
stroke-width="{_number(image.line_width * scale)}" d="{lines}"/>
{layers}
</g>
</svg>
"""


def _dots_of_svg(dots: NDArray[np.float64]) -> str:
    """Return a path of a subpath of no length at each dot, each placed from the one before."""
    places = _in_units(_in_reading_order(dots))
    moves = np.diff(places, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    return "".join(f"m{right}{_signed(down)}h0" for right, down in moves.tolist())


def _relative_path(line: NDArray[np.float64]) -> str:
    """Return a subpath, which begins at a place of its own and goes on by relative moves."""
    places = _in_units(line)
    (left, top), moves = places[0].tolist(), np.diff(places, axis=0).tolist()
    return f"M{left} {top}l" + " ".join(f"{right}{_signed(down)}" for right, down in moves)


def _pdf(image: VectorImage, text: str) -> bytes:
    width, height = image.width * _POINTS_PER_PIXEL, image.height * _POINTS_PER_PIXEL
    scale = _POINTS_PER_PIXEL / _UNITS_PER_PIXEL
    colours = [image.line_colour, *(layer.colour for layer in image.layers)]
    opacities = {f"O{index}": colour.opacity for index, colour in enumerate(colours)}
    content = [
        f"q {width:g} 0 0 {height:g} 0 0 cm /Ground sh Q",
        # The files' y goes upwards.
        f"{scale:.8f} 0 0 {-scale:.8f} 0 {height:g} cm 1 J 1 j",
        f"/O0 gs {_rgb(image.line_colour)} RG {_number(image.line_width * _UNITS_PER_PIXEL)} w",
        *(_absolute_path(line) for line in image.lines),
        *(_layer_of_pdf(layer, f"O{index}") for index, layer in enumerate(image.layers, 1)),
    ]
    states = " ".join(f"/{name} << /CA {opacity:g} >>" for name, opacity in opacities.items())
    metadata = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="">{provenance_element(text)}</rdf:Description></rdf:RDF></x:xmpmeta>\n'
        '<?xpacket end="r"?>'
    )
    box = f"0 0 {width:g} {height:g}"
    resources = f"<< /Shading << /Ground 7 0 R >> /XObject << /Dots 6 0 R >> /ExtGState << {states} >> >>"
    everything = f"0 0 {image.width * _UNITS_PER_PIXEL} {image.height * _UNITS_PER_PIXEL}"
    return _file_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 5 0 R /Resources {resources} >>"
            ).encode(),
            # Not deflated, so that a program finds it without reading PDF.
            _stream("/Type /Metadata /Subtype /XML", metadata.encode(), is_deflated=False),
            _stream("", "\n".join(content).encode()),
            _stream(
                f"/Type /XObject /Subtype /Form /BBox [{everything}] /Resources << >>",
                _dots_of_pdf(image.dots).encode(),
            ),
            _shading(image.ground),
        ]
    )


def _layer_of_pdf(layer: DotLayer, state: str) -> str:
    right, down = (_number(shift * _UNITS_PER_PIXEL) for shift in (layer.right, layer.down))
    diameter = _number(2 * layer.radius * _UNITS_PER_PIXEL)
    return f"q /{state} gs {_rgb(layer.colour)} RG {diameter} w 1 0 0 1 {right} {down} cm /Dots Do Q"


def _dots_of_pdf(dots: NDArray[np.float64]) -> str:
    places = _in_units(_in_reading_order(dots)).tolist()
    # One path and one stroke, as in SVG: translucent dots that overlap do not darken each other.
    return "\n".join(f"{x} {y} m {x} {y} l" for x, y in places) + "\nS"


def _absolute_path(line: NDArray[np.float64]) -> str:
    (first, *others) = _in_units(line).tolist()
    return f"{first[0]} {first[1]} m " + " ".join(f"{x} {y} l" for x, y in others) + " S"


def _shading(colours: Sequence[Colour]) -> bytes:
    """Return a radial shading of the unit square, from its centre to its corners."""
    parts = " ".join(
        f"<< /FunctionType 2 /Domain [0 1] /N 1 /C0 [{_rgb(low)}] /C1 [{_rgb(high)}] >>"
        for low, high in pairwise(colours)
    )
    steps = len(colours) - 1
    bounds = " ".join(f"{index / steps:.4g}" for index in range(1, steps))
    return (
        f"<< /ShadingType 3 /ColorSpace /DeviceRGB /Coords [0.5 0.5 0 0.5 0.5 {math.sqrt(0.5):.5f}] "
        f"/Extend [true true] /Function << /FunctionType 3 /Domain [0 1] /Functions [{parts}] "
        f"/Bounds [{bounds}] /Encode [{' '.join(['0 1'] * steps)}] >> >>"
    ).encode()


def _stream(entries: str, data: bytes, *, is_deflated: bool = True) -> bytes:
    if is_deflated:
        entries, data = f"{entries} /Filter /FlateDecode", zlib.compress(data)
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _file_of(objects: Iterable[bytes]) -> bytes:
    """Return a PDF of objects, numbered from 1, of which the first is the catalog."""
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table_at, count = len(file), len(offsets) + 1
    entries = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    file += f"xref\n0 {count}\n0000000000 65535 f \n{entries}".encode()
    file += f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table_at}\n%%EOF\n".encode()
    return bytes(file)


def _in_reading_order(dots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return dots row by row, so that each is near the one before: numbers are short, and deflate well."""
    if len(dots) == 0:
        return dots
    top, bottom = dots[:, 1].min(), dots[:, 1].max()
    rows = np.floor((dots[:, 1] - top) / max(bottom - top, 1e-9) * _ROWS_OF_DOTS)
    return dots[np.lexsort((dots[:, 0], rows))]


def _in_units(points: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(points * _UNITS_PER_PIXEL).astype(np.int64)


def _signed(value: int) -> str:
    """Return a number that follows another one: a minus parts them, too."""
    return str(value) if value < 0 else f" {value}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _hex(colour: Colour) -> str:
    return f"#{colour.red:02x}{colour.green:02x}{colour.blue:02x}"


def _rgb(colour: Colour) -> str:
    return " ".join(f"{value / 255:.4g}" for value in (colour.red, colour.green, colour.blue))
