"""`chladni live`: speak or sing, press ENTER, see the image."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from chladni_client.cli.creation import create_and_save, print_saved, print_saved_as_json
from chladni_client.cli.creation_options import (
    CalibrationOption,
    GuidanceOption,
    ModelOption,
    NegativePromptOption,
    NoiseModeOption,
    NoiseWeightOption,
    PromptOption,
    RecipeOption,
    SeedOption,
    StepsOption,
    StrengthOption,
)
from chladni_client.cli.display.progress import creation_display, print_notice
from chladni_client.cli.display.recording import RecordingDisplay
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.invocation import JsonOption, invocation_of
from chladni_client.client import Client
from chladni_client.errors import InvalidInputError
from chladni_client.files import write_atomically
from chladni_client.recording.microphone import Microphone
from chladni_client.recording.recorder import EnterKey, Recording, record
from chladni_client.recording.sources import AudioSource, WavSource
from chladni_client.recording.spectrum import LiveSpectrum
from chladni_client.types.options import CreationOptions

_PREFERRED_RECIPE: Final = "latent-noise"
_SILENCE_DBFS: Final = -60.0


def live(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",
            "-o",
            metavar="FILE",
            help="PNG to write; the recording goes beside it, with .wav. Without it: live-TIME.png, here.",
        ),
    ] = None,
    recipe: RecipeOption = "",
    prompt: PromptOption = "",
    negative_prompt: NegativePromptOption = "",
    steps: StepsOption = None,
    seed: SeedOption = None,
    guidance: GuidanceOption = None,
    strength: StrengthOption = None,
    model: ModelOption = "",
    noise_mode: NoiseModeOption = None,
    noise_weight: NoiseWeightOption = None,
    calibration: CalibrationOption = "",
    wav: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="WAV file that plays the part of the microphone.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Microphone, by a part of its name or its number.")
    ] = "",
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Longest recording.", min=0.1, max=3600)
    ] = 30.0,
    show: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the image in the desktop's viewer.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no level and no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Record a sound and turn it into an image at once.

    ENTER starts the recording and ENTER stops it; without a keyboard, it starts at once and lasts as long as
    --seconds says. Without --recipe, the audio becomes the initial noise of the image (latent-noise), or the
    server's default recipe is used if it does not have that one. A --prompt needs a model that
    follows texts, which the one that ships does not.

    Needs PortAudio and [bold]pip install 'chladni-client\[live]'[/], or a file in place of the microphone.

    [bold]Examples[/]

      chladni live
      chladni live --prompt "A psychedelic visualization of a voice" --steps 75
      chladni live --recipe embedded --seconds 5 -o me.png
      chladni live --wav voice.wav --no-open
    """
    destination = output or Path(f"live-{datetime.now().astimezone():%Y%m%d-%H%M%S}.png")
    recording_path = destination.with_suffix(".wav")
    if wav is not None and recording_path.resolve() == wav.resolve():
        raise typer.BadParameter(f"the recording would replace {wav}", param_hint="--output")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        source: AudioSource = WavSource(wav) if wav is not None else Microphone(device)
        options = CreationOptions(
            recipe=recipe or _preferred_recipe(client),
            prompt=prompt,
            negative_prompt=negative_prompt,
            steps=steps,
            seed=seed,
            guidance_scale=guidance,
            strength=strength,
            model=model,
            noise_mode=noise_mode,
            noise_weight=noise_weight,
            calibration=calibration,
        )
        recording = _record(client, source, EnterKey.of(sys.stdin), seconds, is_quiet=quiet)
        recording_path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(recording_path, recording.to_wav())
        with creation_display(is_quiet=quiet) as display:
            display.begin(recording_path.name)
            made = create_and_save(client, recording_path, destination, options, display)
    if as_json:
        print_saved_as_json(recording_path, made, recording_seconds=recording.duration_seconds)
    else:
        print_saved(made)
    if show and not as_json and _has_desktop():
        typer.launch(str(made.image_path))


def _preferred_recipe(client: Client) -> str:
    """Return the recipe for live audio; empty, which is the default one, if it is not available."""
    for recipe in client.list_recipes():
        if recipe.name == _PREFERRED_RECIPE and recipe.is_available:
            return recipe.name
    return ""


def _record(
    client: Client, source: AudioSource, key: EnterKey, max_seconds: float, *, is_quiet: bool
) -> Recording:
    console = Console(stderr=True)
    if key.is_there:
        console.print("Press ENTER to start recording...", highlight=False)
        key.wait()
    if key.is_there:
        console.print("[bold red]●[/] Recording... Press ENTER to stop.", highlight=False)
    else:
        console.print(f"[bold red]●[/] Recording for {max_seconds:g} s at most...", highlight=False)
    with (
        LiveSpectrum(client, source.pcm) as spectrum,
        RecordingDisplay(console, source.pcm, spectrum, is_quiet=is_quiet) as display,
    ):

        def take(chunk: bytes) -> None:
            spectrum.push(chunk)
            display.show(chunk)

        recording = record(source, is_stopped=key.is_pressed, max_seconds=max_seconds, on_chunk=take)
    if not recording.content:
        raise InvalidInputError("Nothing was recorded.", reason="EMPTY_AUDIO")
    if display.peak_dbfs < _SILENCE_DBFS:
        print_notice(console, "the recording is silent: is the right microphone connected, and not muted?")
    return recording


def _has_desktop() -> bool:
    always_has = sys.platform in ("darwin", "win32")
    return always_has or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
