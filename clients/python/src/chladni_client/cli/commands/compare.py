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

from chladni_client._messages.requests import ImageSource
from chladni_client.cli.creation_options import RecipeOption
from chladni_client.cli.display.progress import creation_display, print_warnings
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import STDIN, check_inputs, is_audio, name_of, source_of
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.client import Client
from chladni_client.files import is_image_id, read_upload
from chladni_client.types.events import ImageCreated
from chladni_client.types.options import CreationOptions

_ALIKE = 0.8
_DIFFERENT = 0.4


def compare(
    context: typer.Context,
    first: Annotated[
        str,
        typer.Argument(
            metavar="FIRST",
            help="Image or audio file, - for standard input, or identifier of an image.",
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Likewise.")],
    seed: Annotated[
        int,
        typer.Option(metavar="INTEGER", help="Seed of the images of audio files.", min=0, max=2**32 - 1),
    ] = 7,
    recipe: RecipeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Score how alike two images are, from 0 to 1; equal images score exactly 1.

    The score is that of the server's image embedding: it sees what is in the images, not single pixels. An
    audio file stands for the image that is made of it; both start from the same noise.

    [bold]Examples[/]

      chladni compare voice.png flute.png
      chladni compare voice.png 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11
      chladni compare voice.wav flute.ogg
      chladni compare voice.png flute.png --json | jq .score
    """
    for name, image in (("FIRST", first), ("SECOND", second)):
        if not is_image_id(image) and Path(image) != STDIN and not Path(image).exists():
            raise typer.BadParameter(
                f"{image!r} is neither a file nor an identifier of an image", param_hint=name
            )
    check_inputs([Path(image) for image in (first, second) if not is_image_id(image)], hint="FIRST SECOND")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        options = CreationOptions(recipe=recipe, seed=seed)
        images = [_image_of(client, name, options, is_quiet=as_json) for name in (first, second)]
        comparison = client.compare_images(*images)
    if as_json:
        print_json({"first": first, "second": second} | asdict(comparison))
        return
    print_score(comparison.score, comparison.cosine, comparison.model)


def _image_of(client: Client, name: str, options: CreationOptions, *, is_quiet: bool) -> ImageSource:
    """Return an image, or make that of an audio file."""
    if is_image_id(name):
        return name
    path = Path(name)
    file = read_upload(source_of(path))
    if not is_audio(path, file.content):
        return file.content
    with creation_display(is_quiet=is_quiet) as display:
        display.begin(name_of(path))
        with closing(client.stream_image(file.content, **options)) as events:
            for event in events:
                display.show(event)
                if isinstance(event, ImageCreated):
                    print_warnings(event.image.warnings)
                    image = event.image
    return image


def colour_of(score: float) -> str:
    """Return the colour of a score: green for alike, yellow for somewhat, red for different."""
    if score >= _ALIKE:
        return "green"
    return "yellow" if score >= _DIFFERENT else "red"


def print_score(score: float, cosine: float, model: str) -> None:
    """Print a score for people, as a number and a bar."""
    colour = colour_of(score)
    console = Console(highlight=False)
    width = max(10, min(40, console.width - 40))
    gauge = Table.grid(padding=(0, 2))
    gauge.add_row(
        f"[bold {colour}]{score:.3f}[/]",
        ProgressBar(total=1.0, completed=score, width=width, complete_style=colour, finished_style=colour),
        f"[dim]cosine {cosine:+.3f}, {shown(model)}[/]",
    )
    console.print(gauge)
