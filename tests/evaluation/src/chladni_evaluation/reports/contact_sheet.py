"""A sheet of images with captions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

_MARGIN: Final = 32
_GAP: Final = 6
_CAPTION_HEIGHT: Final = 22
_LABEL_HEIGHT: Final = 30
_TITLE_HEIGHT: Final = 76
_BACKGROUND: Final = "#0f1014"
_TITLE_COLOUR: Final = "#f4f1ea"
_LABEL_COLOUR: Final = "#e8e4da"
_CAPTION_COLOUR: Final = "#9a99a3"


@dataclass(frozen=True, eq=False)
class Tile:
    """An image on a sheet.

    Attributes:
        image: The encoded image.
        caption: Text under it, cut to fit.
    """

    image: bytes
    caption: str


@dataclass(frozen=True, eq=False)
class Row:
    """A row of tiles.

    Attributes:
        label: Text above it; may be empty.
        tiles: The tiles, from left to right.
    """

    label: str
    tiles: Sequence[Tile]


def draw_sheet(rows: Sequence[Row], *, title: str, subtitle: str, tile_pixels: int) -> Image.Image:
    """Return the sheet.

    Args:
        rows: At least one row of at least one tile.
        title: Large line on top.
        subtitle: Small line under it.
        tile_pixels: Side of a tile.
    """
    heights = [tile_pixels + _CAPTION_HEIGHT + (_LABEL_HEIGHT if row.label else 0) for row in rows]
    columns = max(len(row.tiles) for row in rows)
    size = (
        2 * _MARGIN + columns * (tile_pixels + _GAP) - _GAP,
        2 * _MARGIN + _TITLE_HEIGHT + sum(heights),
    )
    sheet = Image.new("RGB", size, _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN - 6), title, fill=_TITLE_COLOUR, font=ImageFont.load_default(30))
    pen.text((_MARGIN, _MARGIN + 34), subtitle, fill=_CAPTION_COLOUR, font=ImageFont.load_default(16))
    top = _MARGIN + _TITLE_HEIGHT
    for row, height in zip(rows, heights, strict=True):
        _draw_row(sheet, row, top=top, tile_pixels=tile_pixels)
        top += height
    return sheet


def _draw_row(sheet: Image.Image, row: Row, *, top: int, tile_pixels: int) -> None:
    pen = ImageDraw.Draw(sheet)
    if row.label:
        pen.text((_MARGIN, top + 4), row.label, fill=_LABEL_COLOUR, font=ImageFont.load_default(17))
        top += _LABEL_HEIGHT
    font = ImageFont.load_default(11)
    for column, tile in enumerate(row.tiles):
        left = _MARGIN + column * (tile_pixels + _GAP)
        with Image.open(io.BytesIO(tile.image)) as image:
            size = (tile_pixels, tile_pixels)
            sheet.paste(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), (left, top))
        caption = tile.caption
        while caption and font.getlength(caption) > tile_pixels:
            caption = caption[:-1]
        pen.text((left, top + tile_pixels + 3), caption, fill=_CAPTION_COLOUR, font=font)
