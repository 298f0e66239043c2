"""Contact sheets, for people to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures
from chladni_evaluation.corpus.perturbations import PERTURBATIONS
from chladni_evaluation.corpus.selection import KINDS
from chladni_evaluation.dataset import Dataset, evenly
from chladni_evaluation.reports.contact_sheet import Row, Tile, draw_sheet
from chladni_evaluation.sections.smoothness import moves

_PAIRS_A_ROW: Final = 5
_OF_A_KIND: Final = 8
_PERTURBED_CLIPS: Final = 10
_CLIPS_WITH_SEEDS: Final = 12
_ART_PAIRS: Final = 24


def measure(dataset: Dataset) -> Figures:
    """Draw the sheets into the folder of the data set; their number is the only figure."""
    drawn = 0
    figures: Figures = {}
    for name, draw in _SHEETS.items():
        try:
            title, rows, tile_pixels = draw(dataset)
        except NotMeasurableError:
            figures[f"unavailable.sheets.{name}"] = 1
            continue
        subtitle = f"clips of seed {dataset.size.seed}"
        draw_sheet(rows, title=title, subtitle=subtitle, tile_pixels=tile_pixels).save(
            dataset.folder / f"{name}.png"
        )
        drawn += 1
    return figures | {"sheets.count": drawn}


_Sheet = tuple[str, list[Row], int]
"""Title, rows, side of a tile in pixels."""


def _clips(dataset: Dataset) -> _Sheet:
    pairs = [
        (Tile(spectrogram, clip.name), Tile(image, clip.detail))
        for clip, spectrogram, image in zip(
            dataset.clips, dataset.spectrograms, dataset.first_images, strict=True
        )
    ]
    rows = [
        Row("", tuple(tile for pair in pairs[first : first + _PAIRS_A_ROW] for tile in pair))
        for first in range(0, len(pairs), _PAIRS_A_ROW)
    ]
    return f"{len(pairs)} clips: spectrogram and image", rows, 192


def _kinds(dataset: Dataset) -> _Sheet:
    rows = []
    for kind in KINDS:
        of_kind = [position for position, clip in enumerate(dataset.clips) if clip.kind == kind]
        if of_kind:
            chosen = evenly(of_kind, _OF_A_KIND)
            tiles = tuple(
                Tile(dataset.first_images[position], dataset.clips[position].name) for position in chosen
            )
            rows.append(Row(f"{kind} ({len(of_kind)} clips)", tiles))
    return "Kinds of audio, one seed", rows, 256


def _perturbations(dataset: Dataset) -> _Sheet:
    by_clip: dict[int, list[Tile]] = {}
    for item, move in zip(dataset.perturbed, moves(dataset), strict=True):
        original = Tile(dataset.first_images[item.position], "as it was")
        tiles = by_clip.setdefault(item.position, [original])
        tiles.append(Tile(item.image, f"{item.perturbation.label}: moves {move:.3f}"))
    chosen = evenly(list(by_clip), _PERTURBED_CLIPS)
    rows = [Row(dataset.clips[position].name, tuple(by_clip[position])) for position in chosen]
    return f"{len(PERTURBATIONS)} small changes, one seed", rows, 256


def _seeds(dataset: Dataset) -> _Sheet:
    rows = [
        Row(
            dataset.clips[position].name,
            (
                Tile(dataset.spectrograms[position], "spectrogram"),
                *(
                    Tile(image, f"seed {seed}")
                    for image, seed in zip(dataset.images[position], dataset.image_seeds, strict=True)
                ),
            ),
        )
        for position in evenly(range(len(dataset.clips)), _CLIPS_WITH_SEEDS)
    ]
    return "One clip, several seeds", rows, 256


def _art(dataset: Dataset) -> _Sheet:
    chosen = evenly(list(dataset.art_of_clips), _ART_PAIRS)
    pairs = [
        (
            Tile(dataset.art_of_clips[position], "art"),
            Tile(dataset.first_images[position], dataset.clips[position].name),
        )
        for position in chosen
    ]
    rows = [
        Row("", tuple(tile for pair in pairs[first : first + 4] for tile in pair))
        for first in range(0, len(pairs), 4)
    ]
    return "The art of a clip, and the model's image of it", rows, 256


_SHEETS: Final[Mapping[str, Callable[[Dataset], _Sheet]]] = {
    "clips": _clips,
    "kinds": _kinds,
    "perturbations": _perturbations,
    "seeds": _seeds,
    "art": _art,
}
