"""`chladni compare`: how alike two images are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import STDIN, check_inputs, source_of
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.files import FileSource, is_image_id

_ALIKE = 0.8
_DIFFERENT = 0.4


def compare(
    context: typer.Context,
    first: Annotated[
        str,
        typer.Argument(metavar="FIRST", help="Image file, - for standard input, or identifier of an image."),
    ],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Likewise.")],
    as_json: JsonOption = False,
) -> None:
    """Score how alike two images are, from 0 to 1; equal images score exactly 1.

    The score is that of the server's image embedding: it sees what is in the images, not single pixels.

    [bold]Examples[/]

      chladni compare voice.png flute.png
      chladni compare voice.png 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11
      chladni compare voice.png flute.png --json | jq .score
    """
    for name, image in (("FIRST", first), ("SECOND", second)):
        if not is_image_id(image) and Path(image) != STDIN and not Path(image).is_file():
            raise typer.BadParameter(
                f"{image!r} is neither a file nor an identifier of an image", param_hint=name
            )
    check_inputs([Path(image) for image in (first, second) if not is_image_id(image)], hint="FIRST SECOND")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        comparison = client.compare_images(_source_of(first), _source_of(second))
    if as_json:
        print_json({"first": first, "second": second} | asdict(comparison))
        return
    print_score(comparison.score, comparison.cosine, comparison.model)


def _source_of(image: str) -> FileSource:
    return image if is_image_id(image) else source_of(Path(image))


def colour_of(score: float) -> str:
    """Return the colour of a score: green for alike, yellow for somewhat, red for different."""
    if score >= _ALIKE:
        return "green"
    return "yellow" if score >= _DIFFERENT else "red"


def print_score(score: float, cosine: float, model: str) -> None:
    """Print a score for people, as a number and a bar."""
    colour = colour_of(score)
    gauge = Table.grid(padding=(0, 2))
    gauge.add_row(
        f"[bold {colour}]{score:.3f}[/]",
        ProgressBar(total=1.0, completed=score, width=40, complete_style=colour, finished_style=colour),
        f"[dim]cosine {cosine:+.3f}, {model}[/]",
    )
    Console(highlight=False).print(gauge)
