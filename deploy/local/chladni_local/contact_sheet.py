"""A contact sheet: the spectrogram of each sound beside its image."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

TILE_PIXELS: Final = 320
"""Side of a spectrogram and of an image on the sheet."""

_MARGIN: Final = 40
_GAP: Final = 4
_CAPTION_HEIGHT: Final = 66
_TITLE_HEIGHT: Final = 84
_CARDS_A_ROW: Final = 2
_BACKGROUND: Final = "#0f1014"
_TITLE_COLOUR: Final = "#f4f1ea"
_NAME_COLOUR: Final = "#e8e4da"
_DETAIL_COLOUR: Final = "#8b8a94"


@dataclass(frozen=True, slots=True)
class Card:
    """One sound on the sheet.

    Attributes:
        name: Large line under the images.
        detail: Small line under the name.
        spectrogram: Encoded image of the sound.
        image: Encoded image made from it.
    """

    name: str
    detail: str
    spectrogram: bytes
    image: bytes


def draw_contact_sheet(cards: Sequence[Card], *, title: str, subtitle: str) -> Image.Image:
    """Return the sheet: two cards a row, each with a spectrogram and an image, and a caption."""
    card_width = 2 * TILE_PIXELS + _GAP
    card_height = TILE_PIXELS + _CAPTION_HEIGHT
    columns = min(_CARDS_A_ROW, len(cards))
    rows = -(-len(cards) // columns)
    sheet = Image.new(
        "RGB",
        (
            _MARGIN + columns * (card_width + _MARGIN),
            _MARGIN + _TITLE_HEIGHT + rows * (card_height + _MARGIN // 2),
        ),
        _BACKGROUND,
    )
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN - 6), title, fill=_TITLE_COLOUR, font=ImageFont.load_default(36))
    pen.text((_MARGIN, _MARGIN + 42), subtitle, fill=_DETAIL_COLOUR, font=ImageFont.load_default(17))
    for index, card in enumerate(cards):
        row, column = divmod(index, columns)
        left = _MARGIN + column * (card_width + _MARGIN)
        top = _MARGIN + _TITLE_HEIGHT + row * (card_height + _MARGIN // 2)
        sheet.paste(_tile(card.spectrogram), (left, top))
        sheet.paste(_tile(card.image), (left + TILE_PIXELS + _GAP, top))
        under = top + TILE_PIXELS
        pen.text((left, under + 10), card.name, fill=_NAME_COLOUR, font=ImageFont.load_default(20))
        pen.text((left, under + 36), card.detail, fill=_DETAIL_COLOUR, font=ImageFont.load_default(15))
    return sheet


def _tile(encoded: bytes) -> Image.Image:
    with Image.open(io.BytesIO(encoded)) as image:
        return image.convert("RGB").resize((TILE_PIXELS, TILE_PIXELS), Image.Resampling.LANCZOS)
