"""`chladni inspect`: how an image was made."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from chladni_client.command.failures import reported_failures
from chladni_client.command.invocation import JsonOption, print_json
from chladni_client.images import Provenance
from chladni_client.provenance import read_provenance

_TITLES: Final = {
    "model": "Model",
    "model_digest": "Model digest",
    "recipe": "Recipe",
    "seed": "Seed",
    "steps": "Denoising steps",
    "guidance_scale": "Guidance scale",
    "scheduler": "Scheduler",
    "audio_sha256": "Recording (SHA-256)",
    "conditioning_sha256": "Conditioning (SHA-256)",
    "dtype": "Numeric type",
    "device": "Device",
    "batch_size": "Batch size",
    "thread_count": "Threads",
    "exact": "Exact",
    "device_capability": "Device capability",
    "decode_batch_size": "Decoder batch size",
}
_COUNTS: Final = frozenset({"batch_size", "decode_batch_size"})


def inspect(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="PNG that Chladni made.", exists=True, dir_okay=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Show how an image was made: model, seed, steps, recording. Needs no server.

    [bold]Examples[/]

      chladni inspect voice.png
      chladni inspect voice.png --json | jq .seed
    """
    with reported_failures(as_json=as_json):
        provenance = read_provenance(image)
    if as_json:
        print_json(asdict(provenance))
    else:
        Console(highlight=False).print(_table(image.name, provenance))


def _table(name: str, provenance: Provenance) -> Table:
    table = Table(title=name, show_header=False, title_justify="left", title_style="bold", box=SIMPLE)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    values = asdict(provenance)
    for field, title in _TITLES.items():
        table.add_row(title, _in_words(field, values[field]))
    table.add_row("Size", f"{provenance.width_pixels} x {provenance.height_pixels} pixels")
    for library, version in sorted(provenance.library_versions.items()):
        table.add_row(library, version)
    return table


def _in_words(field: str, value: object) -> str:
    if value == "" or (field in _COUNTS and value == 0):
        return "[dim]not known[/]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
