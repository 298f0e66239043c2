"""`chladni search` and `chladni align`: what is like an image, and how well an image fits audio."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from chladni_client.cli.commands.compare import print_score
from chladni_client.cli.commands.images import table_of_images
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import ImageIdArgument, check_identifiers
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json


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
    Console(highlight=False).print(table_of_images(images, scores))


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
