"""`chladni images`, `chladni pin` and `chladni delete`: the images of the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import ExitStatus, exit_status_of, report, reported_failures
from chladni_client.cli.inputs import check_identifiers
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.client import Client
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

    def delete_one(client: Client, image_id: str) -> tuple[str, dict[str, Any]]:
        client.delete_image(image_id)
        return "deleted", {"is_deleted": True}

    _change_each(context, image_ids, delete_one, as_json=as_json)


def pin(
    context: typer.Context,
    image_ids: Annotated[list[str], typer.Argument(metavar="IMAGE_ID", help="Identifiers of images.")],
    off: Annotated[bool, typer.Option("--off", help="Take the pins away.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Pin images of this session: neither limits nor time remove them. Half of what is kept can be pinned.

    An image that cannot be pinned does not stop the others.

    [bold]Examples[/]

      chladni pin 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11
      chladni pin 0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11 --off
    """

    def pin_one(client: Client, image_id: str) -> tuple[str, dict[str, Any]]:
        is_pinned = client.pin_image(image_id, is_pinned=not off).is_pinned
        return "pinned" if is_pinned else "not pinned", {"is_pinned": is_pinned}

    _change_each(context, image_ids, pin_one, as_json=as_json)


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


def _change_each(
    context: typer.Context,
    image_ids: Sequence[str],
    change: Callable[[Client, str], tuple[str, dict[str, Any]]],
    *,
    as_json: bool,
) -> None:
    """Change images, and report what became of each; the first failure decides the exit status.

    Args:
        context: The command's.
        image_ids: Identifiers of the images.
        change: Changes one; returns what became of it, as words and as fields of JSON.
        as_json: Whether to print JSON.
    """
    check_identifiers(image_ids, hint="IMAGE_ID")
    failures: list[ExitStatus] = []
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        for image_id in image_ids:
            try:
                words, fields = change(client, image_id)
            except ChladniError as error:
                report(error, subject=image_id, subject_key="image_id", as_json=as_json)
                failures.append(exit_status_of(error))
                if isinstance(error, UnavailableError):
                    break  # the others would fail in the same way
                continue
            if as_json:
                print_json({"image_id": image_id} | fields)
            else:
                typer.echo(f"{image_id}  {words}")
    if failures:
        raise typer.Exit(failures[0])


def _cells(image: Image, score: str) -> tuple[str, ...]:
    created = "" if image.created_at is None else f"{image.created_at.astimezone():%Y-%m-%d %H:%M}"
    pixels = f"{image.width_pixels} x {image.height_pixels}"
    return shown(image.image_id), score, shown(image.display_name), shown(image.recipe), pixels, created
