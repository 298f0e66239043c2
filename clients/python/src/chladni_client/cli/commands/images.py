"""`chladni images` and `chladni delete`: the images of the session."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chladni_client.cli.failures import ExitStatus, exit_status_of, report, reported_failures
from chladni_client.cli.inputs import check_identifiers
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.errors import ChladniError, UnavailableError
from chladni_client.types.images import Image


def images(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the images of this session that the server keeps, the newest first.

    [bold]Examples[/]

      chladni images
      chladni images --json | jq -r '.images[].image_id'
      chladni images --session-token 0123456789012345678901234567890123456789abc
    """
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        found = list(client.list_images())
    if as_json:
        print_json({"images": [asdict(image) for image in found]})
    else:
        Console(highlight=False).print(table_of_images(found))


def delete(
    context: typer.Context,
    image_ids: Annotated[list[str], typer.Argument(metavar="IMAGE_ID", help="Identifiers of images.")],
    as_json: JsonOption = False,
) -> None:
    """Delete images of this session at the server. An image that cannot be deleted does not stop the others.

    [bold]Examples[/]

      chladni delete 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11
      chladni delete 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31
      chladni delete 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 --json
    """
    check_identifiers(image_ids, hint="IMAGE_ID")
    failures: list[ExitStatus] = []
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        for image_id in image_ids:
            try:
                client.delete_image(image_id)
            except ChladniError as error:
                report(error, subject=image_id, subject_key="image_id", as_json=as_json)
                failures.append(exit_status_of(error))
                if isinstance(error, UnavailableError):
                    break  # the others would fail in the same way
                continue
            if as_json:
                print_json({"image_id": image_id, "is_deleted": True})
            else:
                typer.echo(f"{image_id}  deleted")
    if failures:
        raise typer.Exit(failures[0])


def table_of_images(images: Sequence[Image], scores: Sequence[float] = ()) -> Table:
    """Return a table of images for people.

    Args:
        images: The images.
        scores: A score of each; empty if they have none.
    """
    table = Table(box=SIMPLE)
    if scores:
        table.add_column("Score", style="bold")
    table.add_column("Image", style="cyan", no_wrap=True)
    table.add_column("Audio")
    table.add_column("Recipe")
    table.add_column("Pixels")
    table.add_column("Created")
    for index, image in enumerate(images):
        created = "" if image.created_at is None else f"{image.created_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(
            *([f"{scores[index]:.3f}"] if scores else []),
            escape(image.image_id),
            escape(image.display_name),
            escape(image.recipe),
            f"{image.width_pixels} x {image.height_pixels}",
            created,
        )
    return table
