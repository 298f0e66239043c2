"""Contact sheets, to be judged by looking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures
from chladni_evaluation.corpus.perturbations import PERTURBATIONS
from chladni_evaluation.corpus.selection import KINDS
from chladni_evaluation.dataset import Material, evenly
from chladni_evaluation.reports.contact_sheet import Row, Tile, draw_sheet
from chladni_evaluation.sections.smoothness import moves

_PAIRS_A_ROW: Final = 5
_OF_A_KIND: Final = 8
_PERTURBED_CLIPS: Final = 10
_CLIPS_WITH_SEEDS: Final = 12
_ART_PAIRS: Final = 24


def measure(material: Material) -> Figures:
    """Draws the sheets into the material's folder; their number is the only figure."""
    drawn = 0
    figures: Figures = {}
    for name, draw in _SHEETS.items():
        try:
            title, rows, tile_pixels = draw(material)
        except NotMeasurableError:
            figures[f"unavailable.sheets.{name}"] = 1
            continue
        subtitle = f"clips of seed {material.extent.seed}"
        draw_sheet(rows, title=title, subtitle=subtitle, tile_pixels=tile_pixels).save(
            material.folder / f"{name}.png"
        )
        drawn += 1
    return figures | {"sheets.count": drawn}


_Sheet = tuple[str, list[Row], int]
"""Title, rows, side of a tile in pixels."""


def _clips(material: Material) -> _Sheet:
    pairs = [
        (Tile(spectrogram, clip.name), Tile(image, clip.detail))
        for clip, spectrogram, image in zip(
            material.clips, material.spectrograms, material.first_images, strict=True
        )
    ]
    rows = [
        Row("", tuple(tile for pair in pairs[first : first + _PAIRS_A_ROW] for tile in pair))
        for first in range(0, len(pairs), _PAIRS_A_ROW)
    ]
    return f"{len(pairs)} clips: spectrogram and image", rows, 192


def _kinds(material: Material) -> _Sheet:
    rows = []
    for kind in KINDS:
        of_kind = [position for position, clip in enumerate(material.clips) if clip.kind == kind]
        if of_kind:
            chosen = evenly(of_kind, _OF_A_KIND)
            tiles = tuple(
                Tile(material.first_images[position], material.clips[position].name) for position in chosen
            )
            rows.append(Row(f"{kind} ({len(of_kind)} clips)", tiles))
    return "Kinds of sound, one seed", rows, 256


def _perturbations(material: Material) -> _Sheet:
    by_clip: dict[int, list[Tile]] = {}
    for item, move in zip(material.perturbed, moves(material), strict=True):
        original = Tile(material.first_images[item.position], "as it was")
        tiles = by_clip.setdefault(item.position, [original])
        tiles.append(Tile(item.image, f"{item.perturbation.label}: moves {move:.3f}"))
    chosen = evenly(list(by_clip), _PERTURBED_CLIPS)
    rows = [Row(material.clips[position].name, tuple(by_clip[position])) for position in chosen]
    return f"{len(PERTURBATIONS)} small changes, one seed", rows, 256


def _seeds(material: Material) -> _Sheet:
    rows = [
        Row(
            material.clips[position].name,
            (
                Tile(material.spectrograms[position], "spectrogram"),
                *(
                    Tile(image, f"seed {seed}")
                    for image, seed in zip(material.images[position], material.image_seeds, strict=True)
                ),
            ),
        )
        for position in evenly(range(len(material.clips)), _CLIPS_WITH_SEEDS)
    ]
    return "One clip, several seeds", rows, 256


def _art(material: Material) -> _Sheet:
    chosen = evenly(list(material.art_of_clips), _ART_PAIRS)
    pairs = [
        (
            Tile(material.art_of_clips[position], "art"),
            Tile(material.first_images[position], material.clips[position].name),
        )
        for position in chosen
    ]
    rows = [
        Row("", tuple(tile for pair in pairs[first : first + 4] for tile in pair))
        for first in range(0, len(pairs), 4)
    ]
    return "The art of a clip, and the model's image of it", rows, 256


_SHEETS: Final[Mapping[str, Callable[[Material], _Sheet]]] = {
    "clips": _clips,
    "kinds": _kinds,
    "perturbations": _perturbations,
    "seeds": _seeds,
    "art": _art,
}
