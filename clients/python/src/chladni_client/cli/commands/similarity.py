"""`chladni search`, `matrix` and `align`: which images are alike, and how well an image fits audio."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Final

import numpy as np
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from chladni_client.cli.commands.compare import colour_of, print_score
from chladni_client.cli.commands.images import print_images
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import ImageIdArgument, check_identifiers
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.errors import InvalidInputError

_MAX_MATRIX_IMAGES: Final = 24


def search(
    context: typer.Context,
    image_id: ImageIdArgument,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="INTEGER", help="Images at most.", min=1, max=50)
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find the images of this session that are most like a given one, best first.

    [bold]Examples[/]

      chladni search 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11
      chladni search 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 --limit 3
      chladni search 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 --json | jq '.matches[0].score'
    """
    check_identifiers([image_id], hint="IMAGE_ID")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        matches = client.search_images(image_id, limit)
    if as_json:
        print_json({"image_id": image_id, "matches": [asdict(match) for match in matches]})
        return
    images, scores = [match.image for match in matches], [match.score for match in matches]
    print_images(images, scores)


def matrix(
    context: typer.Context,
    image_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE_ID", help="2 to 24 images; those of this session if absent."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score how alike each of several images of the server is to each other.

    [bold]Examples[/]

      chladni matrix
      chladni matrix 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31
      chladni matrix --json | jq '.scores[0]'
    """
    check_identifiers(image_ids or [], hint="IMAGE_ID")
    names: dict[str, str] = {}
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        if not image_ids:
            with closing(client.list_images()) as images:
                names = {image.image_id: image.display_name for image in islice(images, _MAX_MATRIX_IMAGES)}
            image_ids = list(names)
        if len(image_ids) < 2:
            raise InvalidInputError(
                "There are fewer than two images to compare; create some.", reason="INVALID_FIELD"
            )
        found = client.compare_image_matrix(image_ids)
    scores = np.asarray(found.scores).tolist()
    if as_json:
        print_json({"image_ids": found.image_ids, "scores": scores, "model": found.model})
        return
    console = Console(highlight=False)
    table = Table(box=SIMPLE)
    table.add_column("", style="cyan", no_wrap=True)
    numbers = range(1, len(scores) + 1)
    for number in numbers:
        table.add_column(str(number), justify="right", no_wrap=True)
    for number, row in zip(numbers, scores, strict=True):
        table.add_row(str(number), *(f"[{colour_of(score)}]{score:.2f}[/]" for score in row))
    console.print(table)
    for number, image_id in zip(numbers, found.image_ids, strict=True):
        console.print(f"{number:3}  {image_id}  {shown(names.get(image_id, ''))}".rstrip(), soft_wrap=True)


def align(
    context: typer.Context,
    image_id: ImageIdArgument,
    *,
    audio_of: Annotated[
        str,
        typer.Option(metavar="IMAGE_ID", help="Image whose audio it is to fit; the image itself if absent."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Score how well an image of this session fits its audio, or that of another image, from 0 to 1.

    At 0.5, the audio is as likely to belong to another image as to this one.

    [bold]Examples[/]

      chladni align 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11
      chladni align 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 --audio-of 5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31
      chladni align 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 --json | jq .score
    """
    check_identifiers([image_id, *([audio_of] if audio_of else [])], hint="IMAGE_ID")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        alignment = client.score_alignment(image_id, audio_of or None)
    if as_json:
        print_json({"image_id": image_id, "audio_of": audio_of or image_id} | asdict(alignment))
        return
    print_score(alignment.score, alignment.cosine, alignment.model)
