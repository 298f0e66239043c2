"""Sounds, their images, and how alike these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, pstdev
from typing import Final

from chladni_client import Client, CreatedImage, CreationEvent, ImageCreated, Spectrogram
from chladni_local.contact_sheet import TILE_PIXELS

AUDIO_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3"})

Scores = Mapping[tuple[int, int], float]
"""Score for each pair of positions, the smaller one first."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An audio file with the image created from it.

    Attributes:
        audio_path: The audio file.
        image_path: File of the image.
        image: The image.
        spectrogram: The sound's spectrogram.
    """

    audio_path: Path
    image_path: Path
    image: CreatedImage
    spectrogram: Spectrogram


def audio_files_in(folder: Path) -> list[Path]:
    """Return the audio files of a folder, by name."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in AUDIO_SUFFIXES)


def create_piece(
    client: Client,
    audio_path: Path,
    image_path: Path,
    *,
    seed: int,
    on_event: Callable[[CreationEvent], None],
) -> Piece:
    """Create the image of an audio file, write it, and return it with the spectrogram."""
    with closing(client.stream_image(audio_path, seed=seed)) as events:
        for event in events:
            on_event(event)
            if isinstance(event, ImageCreated):
                image = event.image
    spectrogram = client.render_spectrogram(audio_path, width_pixels=TILE_PIXELS, height_pixels=TILE_PIXELS)
    return Piece(audio_path, image.save(image_path), image, spectrogram)


def compare_all(client: Client, pieces: Sequence[Piece]) -> Scores:
    """Return how alike the images of each pair are, 0 to 1."""
    return {
        (first, second): client.compare_images(pieces[first].image, pieces[second].image).score
        for first, second in combinations(range(len(pieces)), 2)
    }


def striking_descriptors(pieces: Sequence[Piece], count: int = 3) -> list[str]:
    """Return in words, for each piece, the descriptors in which it differs most from the others.

    How much it differs is counted in standard deviations over the pieces.
    """
    values = [{item.name: item.value for item in piece.image.descriptors} for piece in pieces]
    names = [name for name in (values[0] if values else {}) if not name.startswith("chroma")]
    deviations: list[dict[str, float]] = [{} for _ in pieces]
    for name in names:
        of_pieces = [value.get(name, 0.0) for value in values]
        mean, deviation = fmean(of_pieces), pstdev(of_pieces)
        for position, value in enumerate(of_pieces):
            if deviation > 0:
                deviations[position][name] = (value - mean) / deviation
    return [
        ", ".join(
            f"{'+' if of_piece[name] > 0 else '-'}{name.replace('_', ' ')}"
            for name in sorted(of_piece, key=lambda name: -abs(of_piece[name]))[:count]
        )
        for of_piece in deviations
    ]
