"""The gallery as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from chladni_local.gallery import Piece, Scores


def pieces_table(pieces: Sequence[Piece], striking: Sequence[str], folder: Path) -> Table:
    """Return a table of the pieces.

    Args:
        pieces: The pieces.
        striking: For each, how its audio differs most from the others.
        folder: Folder that the paths are shown relative to.
    """
    table = Table(title="Images", title_justify="left", title_style="bold", box=SIMPLE)
    table.add_column("", justify="right", style="dim")
    table.add_column("Sound, and its image", no_wrap=True)
    table.add_column("Lasts", justify="right", no_wrap=True)
    table.add_column("Made in", justify="right", no_wrap=True)
    table.add_column("Seed", justify="right", no_wrap=True)
    table.add_column("Unlike the others", overflow="fold")
    for number, (piece, words) in enumerate(zip(pieces, striking, strict=True), start=1):
        audio = piece.image.audio
        names = Text(piece.audio_path.name, style="cyan")
        names.append(f"\n{piece.image_path.relative_to(folder)}", style="bold")
        table.add_row(
            str(number),
            names,
            f"{audio.duration_seconds:.1f} s" if audio else "",
            f"{piece.image.processing_seconds:.2f} s",
            str(piece.image.seed),
            words,
        )
    return table


def scores_table(pieces: Sequence[Piece], scores: Scores) -> Table:
    """Return the matrix of scores; the greener, the more alike."""
    table = Table(
        title="How alike the images are (0 to 1)", title_justify="left", title_style="bold", box=None
    )
    table.add_column("", justify="right", style="dim", min_width=3)
    table.add_column("", style="cyan", overflow="ellipsis")
    for number in range(1, len(pieces) + 1):
        table.add_column(str(number), justify="right", no_wrap=True, min_width=4)
    span = _span(scores)
    for row, piece in enumerate(pieces):
        cells = [
            Text("1", style="dim")
            if row == column
            else _cell(scores[min(row, column), max(row, column)], span)
            for column in range(len(pieces))
        ]
        table.add_row(str(row + 1), piece.audio_path.name, *cells)
    return table


def closest_pairs(pieces: Sequence[Piece], scores: Scores) -> str:
    """Return which pair is most and which is least alike, in words."""

    def describe(pair: tuple[int, int]) -> str:
        first, second = (pieces[position].audio_path.stem for position in pair)
        return f"{first} and {second} ({scores[pair]:.2f})"

    most, least = max(scores, key=scores.__getitem__), min(scores, key=scores.__getitem__)
    return f"Most alike: {describe(most)}. Least alike: {describe(least)}."


def _span(scores: Scores) -> tuple[float, float]:
    return min(scores.values()), max(scores.values())


def _cell(score: float, span: tuple[float, float]) -> Text:
    least, most = span
    share = (score - least) / (most - least) if most > least else 1.0
    red, green, blue = (
        round(start + share * (end - start)) for start, end in ((200, 60), (90, 190), (90, 110))
    )
    return Text(f"{score:.2f}", style=f"rgb({red},{green},{blue})")
