"""`chladni spectrogram` and `chladni descriptors`: audio in pixels and in numbers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import AudioArgument, check_inputs, name_of, source_of, stem_of
from chladni_client.cli.invocation import JsonOption, document_of, invocation_of, print_json
from chladni_client.types.audio import AudioFeatures, Colormap, Feature


def spectrogram(
    context: typer.Context,
    audio: AudioArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="PNG to write. Without it: NAME.spectrogram.png, in this folder.",
        ),
    ] = None,
    width: Annotated[int | None, typer.Option(metavar="PIXELS", help="Width, 16 to 4096.", min=1)] = None,
    height: Annotated[int | None, typer.Option(metavar="PIXELS", help="Height, 16 to 4096.", min=1)] = None,
    colormap: Annotated[Colormap, typer.Option(help="Colours.")] = Colormap.VIRIDIS,
    as_json: JsonOption = False,
) -> None:
    """Draw the log-mel spectrogram of an audio file: time to the right, frequency upwards.

    [bold]Examples[/]

      chladni spectrogram voice.wav
      chladni spectrogram voice.wav -o wide.png --width 1200 --height 300 --colormap gray
    """
    check_inputs([audio], hint="AUDIO")
    destination = output or Path(f"{stem_of(audio)}.spectrogram.png")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        image = client.render_spectrogram(
            source_of(audio), width_pixels=width, height_pixels=height, colormap=colormap
        )
        image.save(destination)
    if as_json:
        print_json({"audio": str(audio), "path": str(destination)} | document_of(image))
        return
    Console(highlight=False, soft_wrap=True).print(
        f"{destination}  {image.width_pixels} x {image.height_pixels}, "
        f"{image.audio.duration_seconds:.1f} s of {image.audio.format.upper()}",
        markup=False,
    )


def descriptors(
    context: typer.Context,
    audio: AudioArgument,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each one measures.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what audio is like: loudness, brightness, tempo, pitch and more. They decide the image.

    [bold]Examples[/]

      chladni descriptors voice.wav --explain
      chladni descriptors voice.wav --json | jq '.descriptors[] | select(.name == "tempo")'
    """
    check_inputs([audio], hint="AUDIO")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        features = client.extract_features(source_of(audio), features=[Feature.DESCRIPTORS])
    if as_json:
        print_json(
            {
                "audio": str(audio),
                "audio_properties": asdict(features.audio),
                "descriptors": [asdict(item) for item in features.descriptors],
            }
        )
    else:
        Console(highlight=False).print(_table(name_of(audio), features, with_meaning=explain))


def _table(name: str, features: AudioFeatures, *, with_meaning: bool) -> Table:
    found = features.audio
    table = Table(
        title=f"{name}: {found.duration_seconds:.1f} s of {found.format.upper()}, "
        f"{found.sample_rate_hz} Hz, {found.channel_count} channel(s)",
        title_justify="left",
        title_style="bold",
        box=SIMPLE,
    )
    table.add_column("Descriptor", style="cyan", no_wrap=True)
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    table.add_column("In its range", min_width=16)
    if with_meaning:
        table.add_column("Meaning", style="dim")
    for item in features.descriptors:
        table.add_row(
            item.name,
            f"{item.value:.4g}",
            "" if item.unit == "1" else item.unit,
            ProgressBar(total=1.0, completed=item.position, width=16),
            *([item.description] if with_meaning else []),
        )
    return table
