"""`chladni reproduce`: whether an image can be made again, bit for bit."""

from __future__ import annotations

import math
import re
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from chladni_client.cli.display.progress import creation_display
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import ExitStatus, reported_failures
from chladni_client.cli.inputs import (
    STDIN,
    AudioArgument,
    ImageArgument,
    check_inputs,
    name_of,
    source_of,
)
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.files import read_upload, write_atomically
from chladni_client.reproduction.pixels import draw_difference
from chladni_client.reproduction.reproduce import ReproductionReport, Verdict

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN_DIGITS: Final = 12
_CONCLUSIONS: Final = {
    Verdict.EXPLAINED: "Equal pixels are promised only where all of these are equal:",
    Verdict.INEXACT: "No term differs, but the image was made without --reproducible: pixels may differ by "
    "a rounding error with the requests that share the model.",
    Verdict.DEFECT: "No term of the contract differs, so no pixel should. This is a defect: please report "
    "it, with both images (--save) and the recording.",
}


def reproduce(
    context: typer.Context,
    image: ImageArgument,
    audio: AudioArgument,
    *,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the new rendering (PNG).")
    ] = None,
    difference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to draw how both differ (PNG), stretched so that the largest difference is full "
            "bright.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an image again as its provenance says, and compare both bit for bit.

    AUDIO is the recording that the image was made of. The request repeats the recipe, prompt, strength, noise
    and every other option. Identical pixels exit with 0, others with 1 and a table of what differs between
    the two renderings: model files, versions, device, batch size and the like. The server computes the image
    again, even if it has kept it.

    [bold]Examples[/]

      chladni reproduce voice.png voice.wav
      chladni reproduce voice.png voice.wav --save again.png --difference difference.png
      chladni --target gpu-node:50050 reproduce voice.png voice.wav --json | jq .verdict
    """
    check_inputs([image, audio], hint="IMAGE AUDIO")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        original = read_upload(source_of(image))
        with creation_display(is_quiet=quiet) as display:
            display.begin(name_of(audio))
            reproduction = client.reproduce_image(
                original.content if image == STDIN else image, source_of(audio), on_event=display.show
            )
        if save is not None:
            reproduction.image.save(save)
        if difference is not None:
            write_atomically(difference, draw_difference(original.content, reproduction.image.png))
    report = reproduction.report
    if as_json:
        print_json(_document(report) | {"image": str(image), "audio": str(audio)})
    else:
        _print(report)
    if report.verdict is not Verdict.IDENTICAL:
        raise typer.Exit(ExitStatus.FAULT)


def _document(report: ReproductionReport) -> dict[str, Any]:
    pixels = report.pixels
    psnr_decibels = pixels.psnr_decibels if math.isfinite(pixels.psnr_decibels) else None
    return {
        "verdict": report.verdict,
        "pixel_count": pixels.pixel_count,
        **asdict(pixels),
        "psnr_decibels": psnr_decibels,
        "differing_terms": [asdict(term) for term in report.differing_terms],
    }


def _print(report: ReproductionReport) -> None:
    console = Console(highlight=False, soft_wrap=True)
    pixels = report.pixels
    size = f"{pixels.width_pixels} x {pixels.height_pixels}"
    if report.verdict is Verdict.IDENTICAL:
        console.print(f"[green]identical: all {pixels.pixel_count} pixels ({size}), bit for bit[/]")
        return
    console.print(
        f"[bold red]different:[/] {pixels.differing_pixel_count} of {pixels.pixel_count} pixels ({size}), "
        f"by at most {pixels.largest_difference} of 255; PSNR {pixels.psnr_decibels:.1f} dB"
    )
    console.print(_CONCLUSIONS[report.verdict])
    if report.differing_terms:
        Console(highlight=False).print(_table(report))


def _table(report: ReproductionReport) -> Table:
    table = Table(box=SIMPLE)
    table.add_column("Term", style="cyan", overflow="fold")
    table.add_column("Image", overflow="fold")
    table.add_column("New rendering", overflow="fold")
    table.add_column("What it means", style="dim", ratio=1)
    for term in report.differing_terms:
        values = (_shortened(term.original), _shortened(term.rendering))
        table.add_row(*map(shown, (term.name, *values, term.meaning)))
    return table


def _shortened(value: str) -> str:
    return f"{value[:_SHOWN_DIGITS]}…" if _DIGEST.fullmatch(value) else value
