"""The demonstration's parts: what strikes in a sound, tables, the contact sheet."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from chladni_client import CreatedImage, Descriptor, Provenance, Spectrogram
from chladni_local.contact_sheet import TILE_PIXELS, Card, draw_contact_sheet
from chladni_local.gallery import Piece, audio_files_in, striking_descriptors
from chladni_local.tables import closest_pairs, pieces_table, scores_table


def png_of(colour, size=(64, 64)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format="PNG")
    return file.getvalue()


def piece(name, **descriptors):
    provenance = Provenance(
        **dict.fromkeys(Provenance.__dataclass_fields__, 0) | {"library_versions": {}, "seed": 7}
    )
    image = CreatedImage(
        image_id="1",
        content=png_of("red"),
        width_pixels=64,
        height_pixels=64,
        provenance=provenance,
        audio=None,
        descriptors=tuple(Descriptor(key, value, "1", 0, 1, "") for key, value in descriptors.items()),
        processing_seconds=1.25,
        expires_at=None,
    )
    return Piece(
        Path(f"{name}.wav"), Path(f"out/{name}.png"), image, Spectrogram(png_of("blue"), 64, 64, None)
    )


def test_the_most_striking_descriptors_come_first():
    pieces = [
        piece("one", onset_rate=0.9, tempo=0.4, flatness=0.5, chroma_c=1.0),
        piece("two", onset_rate=0.1, tempo=0.5, flatness=0.5, chroma_c=0.0),
        piece("three", onset_rate=0.1, tempo=0.9, flatness=0.5, chroma_c=0.0),
    ]
    assert striking_descriptors(pieces, count=2) == [
        "+onset rate, -tempo", "-onset rate, -tempo", "+tempo, -onset rate",
    ]  # fmt: skip
    assert striking_descriptors([]) == []
    assert striking_descriptors([piece("alone", tempo=0.4)]) == [""]


def test_tables_hold_every_piece_and_score():
    pieces = [piece("one"), piece("two"), piece("three")]
    scores = {(0, 1): 0.125, (0, 2): 0.5, (1, 2): 0.875}
    console = Console(record=True, width=160, file=io.StringIO())
    console.print(pieces_table(pieces, ["+tempo", "", ""], Path("out")))
    console.print(scores_table(pieces, scores))
    text = console.export_text()
    for expected in ("one.wav", "three.png", "+tempo", "1.25 s", "0.12", "0.50", "0.88"):
        assert expected in text
    assert closest_pairs(pieces, scores) == (
        "Most alike: two and three (0.88). Least alike: one and two (0.12)."
    )
    assert scores_table(pieces[:2], {(0, 1): 0.5}).row_count == 2


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_card_is_on_the_sheet(count):
    cards = [Card(f"sound {n}", "+tempo", png_of("#0000ff"), png_of("#ff0000")) for n in range(count)]
    sheet = draw_contact_sheet(cards, title="Title", subtitle="Subtitle")
    colours = {colour: number for number, colour in sheet.getcolors(1 << 20)}
    assert colours[0, 0, 255] == colours[255, 0, 0] == count * TILE_PIXELS**2


def test_sounds_are_found_by_their_suffix(tmp_path):
    for name in ("b.WAV", "a.ogg", "c.txt", "d"):
        (tmp_path / name).touch()
    assert [path.name for path in audio_files_in(tmp_path)] == ["a.ogg", "b.WAV"]
