"""`chladni spectrogram`, `descriptors` and `reconstruct`: audio in pixels, in numbers, and out of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.progress_bar import ProgressBar
from rich.table import Table

from chladni_client.cli.creation_options import ShowOption
from chladni_client.cli.destinations import (
    STDOUT,
    destinations_of,
    image_format_of,
    is_file_name,
    prepare,
    write,
)
from chladni_client.cli.display.progress import print_warnings
from chladni_client.cli.display.terminal_image import show_image
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import AudioArgument, check_inputs, clips_in, name_of, source_of, stem_of
from chladni_client.cli.invocation import JsonOption, document_of, invocation_of, print_json
from chladni_client.client import Client
from chladni_client.types.audio import AudioFeatures, Colormap, Feature, MelOptions
from chladni_contract.printable import printable


def spectrogram(
    context: typer.Context,
    audio: AudioArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File that ends in .png, .jpg or .webp, or - for standard output. Without it: "
            "NAME.spectrogram.png, in this folder. For a folder of audio, a folder.",
        ),
    ] = None,
    width: Annotated[int | None, typer.Option(metavar="PIXELS", help="Width, 16 to 4096.", min=1)] = None,
    height: Annotated[int | None, typer.Option(metavar="PIXELS", help="Height, 16 to 4096.", min=1)] = None,
    colormap: Annotated[Colormap, typer.Option(help="Colours.")] = Colormap.VIRIDIS,
    mel_bins: Annotated[int | None, typer.Option(metavar="INTEGER", help="Bins, 8 to 512.", min=1)] = None,
    fft: Annotated[
        int | None, typer.Option(metavar="SAMPLES", help="Length of the FFT, 128 to 8192.", min=1)
    ] = None,
    hop_length: Annotated[
        int | None, typer.Option(metavar="SAMPLES", help="Distance between frames, 32 or more.", min=1)
    ] = None,
    fmax: Annotated[
        float | None, typer.Option(metavar="HZ", help="Upper edge of the highest bin.", min=1.0)
    ] = None,
    shows: ShowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw the log-mel spectrogram of an audio file, or of all in a folder: frequency upwards.

    [bold]Examples[/]

      chladni spectrogram voice.wav
      chladni spectrogram voice.wav -o wide.png --width 1200 --height 300 --colormap gray
      chladni spectrogram voice.wav --mel-bins 64 --fft 1024 --hop-length 256
      chladni spectrogram recordings -o images --colormap gray --fmax 8000 --width 224 --height 224
    """
    mel = _mel_options(mel_bins, fft, hop_length, fmax)
    if audio.is_dir():
        with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
            _draw_folder(client, audio, output or Path(), colormap, mel, (width, height), as_json=as_json)
        return
    check_inputs([audio], hint="AUDIO")
    destination = output or Path(f"{stem_of(audio)}.spectrogram.png")
    if destination.is_dir():
        destination = destination / f"{stem_of(audio)}.spectrogram.png"
    (destination,) = destinations_of([audio], destination)
    if destination == STDOUT and as_json:
        raise typer.BadParameter("what goes to standard output is the image alone", param_hint="'--output'")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        prepare(destination)
        image = client.render_spectrogram(
            source_of(audio),
            width_pixels=width,
            height_pixels=height,
            colormap=colormap,
            image_format=image_format_of(destination) or "",
            mel=mel,
        )
        write(destination, image.content)
    if as_json:
        print_json({"audio": str(audio), "path": str(destination)} | document_of(image))
        return
    name = "standard output" if destination == STDOUT else printable(str(destination))
    Console(highlight=False, soft_wrap=True, stderr=destination == STDOUT).print(
        f"{name}  {image.width_pixels} x {image.height_pixels}, "
        f"{image.audio.duration_seconds:.1f} s of {image.audio.format.upper()}",
        markup=False,
    )
    print_warnings(image.warnings)
    if shows and destination != STDOUT:
        show_image(image.content)


def reconstruct(
    context: typer.Context,
    audio: AudioArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File that ends in .wav. Without it: NAME.reconstructed.wav, in this folder.",
        ),
    ] = None,
    with_spectrograms: Annotated[
        bool,
        typer.Option(
            "--spectrograms", help="Write both spectrograms too, as .original.png and .png beside the audio."
        ),
    ] = False,
    model: Annotated[str, typer.Option(metavar="NAME", help="Autoencoder; the server's if absent.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Pass audio through the autoencoder and back into audio, and say how near that is.

    [bold]Examples[/]

      chladni reconstruct voice.wav
      chladni reconstruct song.ogg -o build/song.wav --spectrograms
      chladni reconstruct voice.wav --json | jq .cosine
    """
    check_inputs([audio], hint="AUDIO")
    destination = output or Path(f"{stem_of(audio)}.reconstructed.wav")
    if destination.suffix.lower() != ".wav":
        raise typer.BadParameter("must end in .wav", param_hint="'--output'")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        prepare(destination)
        made = client.reconstruct_audio(source_of(audio), model=model, with_spectrograms=with_spectrograms)
        write(destination, made.content)
        if with_spectrograms:
            write(destination.with_suffix(".original.png"), made.original_spectrogram)
            write(destination.with_suffix(".png"), made.reconstructed_spectrogram)
    if as_json:
        document = document_of(made)
        for name in ("original_spectrogram", "reconstructed_spectrogram", "latents"):
            document.pop(name, None)
        print_json({"audio": str(audio), "path": str(destination)} | document)
        return
    table = Table(title=shown(name_of(audio)), show_header=False, title_justify="left", box=SIMPLE)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row("Mean squared error", f"{made.mean_squared_error:.4f}")
    table.add_row("Mean absolute error", f"{made.mean_absolute_error:.4f}")
    table.add_row("Cosine", f"{made.cosine:.4f}")
    table.add_row("Perceptual similarity (NSIM)", f"{made.perceptual_similarity:.3f}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"{printable(str(destination))}  by {printable(made.model)}", markup=False)
    print_warnings(made.warnings)


def _draw_folder(
    client: Client,
    folder: Path,
    output: Path,
    colormap: Colormap,
    mel: MelOptions | None,
    size: tuple[int | None, int | None],
    *,
    as_json: bool,
) -> None:
    """Draw all audio files of a folder into another, which gets the same folders in it."""
    clips = clips_in([folder], hint="AUDIO")
    if is_file_name(output):
        raise typer.BadParameter("for a folder of audio it must be a folder", param_hint="'--output'")
    paths: list[str] = []
    for clip in track(clips, "Spectrograms", console=Console(stderr=True), disable=as_json):
        destination = (output / clip.relative_to(folder)).with_suffix(".png")
        if str(destination) in paths:  # voice.wav beside voice.ogg
            destination = output / clip.relative_to(folder).with_name(f"{clip.name}.png")
        prepare(destination)
        image = client.render_spectrogram(
            clip, width_pixels=size[0], height_pixels=size[1], colormap=colormap, mel=mel
        )
        write(destination, image.content)
        paths.append(str(destination))
    if as_json:
        print_json({"audio": str(folder), "paths": paths})
    else:
        typer.echo(f"{len(paths)} spectrograms in {printable(str(output))}")


def _mel_options(
    mel_bins: int | None, fft: int | None, hop_length: int | None, fmax: float | None
) -> MelOptions | None:
    if mel_bins is fft is hop_length is fmax is None:
        return None
    return MelOptions(mel_bin_count=mel_bins, fft_size=fft, hop_length=hop_length, max_frequency_hz=fmax)


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
                "warnings": [asdict(item) for item in features.warnings],
            }
        )
    else:
        console = Console(highlight=False)
        console.print(_title(name_of(audio), features), style="bold")
        console.print(_table(features, with_meaning=explain, bar_width=8 if console.width < 80 else 16))
        print_warnings(features.warnings)


def _title(name: str, features: AudioFeatures) -> str:
    found = features.audio
    return (
        f"{shown(name)}: {found.duration_seconds:.1f} s of {found.format.upper()}, "
        f"{found.sample_rate_hz} Hz, {found.channel_count} channel(s)"
    )


def _table(features: AudioFeatures, *, with_meaning: bool, bar_width: int) -> Table:
    table = Table(box=SIMPLE)
    table.add_column("Descriptor", style="cyan", no_wrap=True)
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    table.add_column("In its range", min_width=bar_width)
    if with_meaning:
        table.add_column("Meaning", style="dim")
    for item in features.descriptors:
        table.add_row(
            shown(item.name),
            f"{item.value:.4g}",
            "" if item.unit == "1" else shown(item.unit),
            ProgressBar(total=1.0, completed=item.position, width=bar_width),
            *([shown(item.description)] if with_meaning else []),
        )
    return table
