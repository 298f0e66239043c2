"""`chladni images` and `chladni delete`: the images of the session."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import ExitStatus, exit_status_of, report, reported_failures
from chladni_client.cli.inputs import check_identifiers
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.errors import ChladniError, UnavailableError
from chladni_client.types.images import Image

_NARROW_COLUMNS: Final = 100


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
        print_images(found)


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


def print_images(images: Sequence[Image], scores: Sequence[float] = ()) -> None:
    """Print images for people: a table, or two lines each on a narrow terminal.

    Args:
        images: The images.
        scores: A score of each; empty if they have none.
    """
    console = Console(highlight=False)
    rows = [_cells(image, f"{scores[index]:.3f}" if scores else "") for index, image in enumerate(images)]
    if console.width < _NARROW_COLUMNS:
        for image_id, *cells in rows:
            console.print(f"[cyan]{image_id}[/]", soft_wrap=True)
            console.print(Padding(", ".join(filter(None, cells)), (0, 0, 0, 2)))
        return
    table = Table(box=SIMPLE)
    table.add_column("Image", style="cyan", no_wrap=True)
    for title in ("Score", "Audio", "Recipe", "Pixels", "Created"):
        table.add_column(title)
    for row in rows:
        table.add_row(*row)
    if not scores:
        table.columns.pop(1)
    console.print(table)


def _cells(image: Image, score: str) -> tuple[str, ...]:
    created = "" if image.created_at is None else f"{image.created_at.astimezone():%Y-%m-%d %H:%M}"
    pixels = f"{image.width_pixels} x {image.height_pixels}"
    return shown(image.image_id), score, shown(image.display_name), shown(image.recipe), pixels, created
