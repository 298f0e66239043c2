"""`chladni live`: speak or sing, press ENTER, see the image."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import numpy as np
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
    ShowOption,
    StepsOption,
    StrengthOption,
)
from chladni_client.cli.destinations import STDOUT, destinations_of, is_file_name, prepare
from chladni_client.cli.display.progress import creation_display, print_notice
from chladni_client.cli.display.recording import RecordingDisplay
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import check_inputs
from chladni_client.cli.invocation import JsonOption, invocation_of
from chladni_client.client import Client
from chladni_client.errors import InvalidInputError, UnavailableError
from chladni_client.files import write_atomically
from chladni_client.recording.frames import save_frames
from chladni_client.recording.microphone import Microphone
from chladni_client.recording.recorder import EnterKey, Recording, record
from chladni_client.recording.sources import AudioSource, WavSource
from chladni_client.recording.spectrum import LiveSpectrum
from chladni_client.types.audio import Feature
from chladni_client.types.events import ImageCreated, Progress, Queued, Started
from chladni_client.types.images import Priority
from chladni_client.types.initial_latents import InitialLatentsOptions, LatentBasis
from chladni_client.types.options import CreationOptions, NoiseMode
from chladni_client.types.services import ServiceState
from chladni_contract.provenance import Provenance

_LATENT_NOISE: Final = "latent-noise"
_OF_LATENT_NOISE: Final = ("prompt", "negative_prompt", "noise_mode", "noise_weight", "calibration")
_LATENT_CHANNELS: Final = 4
_PIXELS_PER_LATENT: Final = 8
"""What the models of latent-noise have in common: four channels, and a latent for 8 x 8 pixels."""
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
            help="Image to write (.png, .jpg, .webp), or a folder; the recording goes beside it, with .wav. "
            "Without it: live-TIME.png, in this folder.",
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
        ),
    ] = None,
    save_latents: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the initial latents that the recording became (.npy), for `create --latents`.",
        ),
    ] = None,
    frames: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write images there that the sound moves while it lasts, and no recording.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Microphone, by a part of its name or its number.")
    ] = "",
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Longest recording.", min=0.1, max=3600)
    ] = 30.0,
    shows: ShowOption = False,
    opens: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the image in the desktop's viewer.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no level and no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Record a sound and turn it into an image at once.

    ENTER starts the recording and ENTER stops it; without a keyboard, it starts at once and lasts as long as
    --seconds says. The image is the one that the server's page makes of the recording. With --prompt or
    another option of the recipe latent-noise, the audio becomes the noise from which the image starts. A
    --prompt needs a model that follows texts, which the one that ships does not.

    The server is asked whether it takes the options before anything is recorded.

    Needs PortAudio and [bold]pip install 'chladni-client\[live]'[/], or a file in place of the microphone.

    [bold]Examples[/]

      chladni live
      chladni live --prompt "A psychedelic visualization of a voice" --steps 75
      chladni live --recipe embedded --seconds 5 -o me.png
      chladni live --recipe latent-noise --save-latents me.npy
      chladni live --wav voice.wav --no-open
      chladni live --frames moving --seconds 10
    """
    if frames is not None:
        _check_unused(
            {
                "--output": output,
                "--recipe": recipe,
                "--prompt": prompt,
                "--negative-prompt": negative_prompt,
                "--steps": steps,
                "--guidance": guidance,
                "--strength": strength,
                "--model": model,
                "--noise-mode": noise_mode,
                "--noise-weight": noise_weight,
                "--calibration": calibration,
                "--save-latents": save_latents,
                "--show": shows,
            }
        )
        _check_files(wav, None)
        _move_images(context, wav, device, frames, seconds=seconds, seed=seed, quiet=quiet, as_json=as_json)
        return
    destination = _destination(output)
    _check_files(wav, save_latents)
    recording_path = destination.with_suffix(".wav")
    if wav is not None and recording_path.resolve() == wav.resolve():
        raise typer.BadParameter(f"the recording would replace {wav}", param_hint="--output")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        source: AudioSource = WavSource(wav) if wav is not None else Microphone(device)
        options = CreationOptions(
            recipe=recipe,
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
        options["recipe"] = _chosen_recipe(recipe, options, saves_latents=save_latents is not None)
        for path in filter(None, (destination, save_latents)):
            prepare(path)
        _rehearse(client, options, saves_latents=save_latents is not None)
        recording = _record(client, source, EnterKey.of(sys.stdin), seconds, is_quiet=quiet)
        write_atomically(recording_path, recording.to_wav())
        with creation_display(is_quiet=quiet) as display:
            display.begin(recording_path.name)
            made = create_and_save(client, recording_path, destination, options, display)
        if save_latents is not None:
            _save_latents(client, recording_path, made.image.provenance, options, save_latents)
    if as_json:
        print_saved_as_json(
            recording_path,
            made,
            recording_seconds=recording.duration_seconds,
            latents_path=None if save_latents is None else str(save_latents),
        )
    else:
        print_saved(made, shows_image=shows)
    if opens and not as_json and _has_desktop():
        typer.launch(str(made.image_path))


def _check_unused(options: Mapping[str, object]) -> None:
    """Check that no option is given that says nothing of moving images.

    Raises:
        typer.BadParameter: One is.
    """
    for name, value in options.items():
        if value is not None and value is not False and value != "":
            raise typer.BadParameter("is not taken with --frames; leave it out", param_hint=f"'{name}'")


def _move_images(
    context: typer.Context,
    wav: Path | None,
    device: str,
    folder: Path,
    *,
    seconds: float,
    seed: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write images that the sound moves, until ENTER is pressed or the time is over."""
    console = Console(stderr=True, quiet=quiet)
    key = EnterKey.of(sys.stdin)
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        source: AudioSource = WavSource(wav) if wav is not None else Microphone(device)
        console.print("[bold red]●[/] Listening... Press ENTER to stop.", highlight=False)
        saved = save_frames(client, source, folder, seconds=seconds, is_stopped=key.is_pressed, seed=seed)
    if as_json:
        typer.echo(json.dumps(saved.as_json()))
    else:
        typer.echo(f"{saved.count} images of {saved.seconds:.1f} s in {saved.folder}")


def _destination(output: Path | None) -> Path:
    """Return the file of the image.

    Raises:
        typer.BadParameter: Nothing can be written there.
    """
    name = f"live-{datetime.now().astimezone():%Y%m%d-%H%M%S}.png"
    destination = Path(name) if output is None else output
    if not is_file_name(destination):
        destination = destination / name
    (destination,) = destinations_of([Path(name)], destination)
    if destination == STDOUT:
        raise typer.BadParameter(
            "a recording and its image need a place; name a file", param_hint="'--output'"
        )
    return destination


def _check_files(wav: Path | None, save_latents: Path | None) -> None:
    """Check the files that stand for the microphone and for the latents.

    Raises:
        typer.BadParameter: One cannot.
    """
    if wav is not None:
        check_inputs([wav], hint="--wav")
    if save_latents is not None and save_latents.suffix.lower() != ".npy":
        raise typer.BadParameter("must end in .npy", param_hint="'--save-latents'")


def _chosen_recipe(recipe: str, options: CreationOptions, *, saves_latents: bool) -> str:
    """Return the recipe: latent-noise if an option of it is given, and else the server's default."""
    if not recipe and (saves_latents or any(options.get(key) for key in _OF_LATENT_NOISE)):
        return _LATENT_NOISE
    return recipe


def _rehearse(client: Client, options: CreationOptions, *, saves_latents: bool) -> None:
    """Ask the server for an image of half a second of noise, and stop as soon as it has taken the request.

    Raises:
        ChladniError: It would refuse the recording, too.
    """
    if saves_latents and options.get("recipe") != _LATENT_NOISE:
        raise InvalidInputError(
            f"--save-latents needs the recipe {_LATENT_NOISE}, which makes latents of audio.",
            reason="INVALID_FIELD",
        )
    if saves_latents:
        states = {service.name: service.state for service in client.health()}
        if states["audio-features"] is not ServiceState.SERVING:
            raise UnavailableError(
                "--save-latents asks the audio-feature service itself, which does not answer; name it with "
                "--audio-features-target.",
                reason="NOT_SERVING",
            )
    noise = np.random.default_rng(0).normal(0.0, 0.1, 8000).astype(np.float32)
    rehearsal = client.stream_image(
        noise,
        sample_rate_hz=16000,
        **(options | CreationOptions(bypass_cache=True, priority=Priority.INTERACTIVE)),
    )
    with closing(rehearsal) as events:
        for event in events:
            if isinstance(event, Queued | Started | Progress | ImageCreated):
                return


def _save_latents(
    client: Client, recording: Path, provenance: Provenance, options: CreationOptions, path: Path
) -> None:
    """Write the latents that a recording became, float32 of shape (1, C, H, W)."""
    mode = options.get("noise_mode")
    latents = client.extract_features(
        recording,
        features=[Feature.INITIAL_LATENTS],
        initial_latents=InitialLatentsOptions(
            shape=(
                _LATENT_CHANNELS,
                max(1, provenance.height_pixels // _PIXELS_PER_LATENT),
                max(1, provenance.width_pixels // _PIXELS_PER_LATENT),
            ),
            basis=LatentBasis.DCT if mode is NoiseMode.DCT else LatentBasis.MEL,
            calibration=options.get("calibration", ""),
        ),
    ).initial_latents
    file = io.BytesIO()
    np.save(file, np.asarray(latents, np.float32)[np.newaxis])
    write_atomically(path, file.getvalue())


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
