"""`chladni create`: sounds become images."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from chladni_client.client import Client
from chladni_client.command.failures import ExitStatus, exit_status_of, report, reported_failures
from chladni_client.command.invocation import JsonOption, invocation_of, print_json
from chladni_client.command.progress import CreationDisplay, creation_display
from chladni_client.errors import ChladniError, UnavailableError
from chladni_client.events import ImageCreated
from chladni_client.images import CreatedImage, Priority


@dataclass(frozen=True, slots=True)
class Choices:
    """What is the same for all sounds of one command."""

    recipe: str
    seed: int | None
    steps: int | None
    guidance_scale: float | None
    scheduler: str
    width_pixels: int | None
    height_pixels: int | None
    priority: Priority
    exact: bool
    bypass_cache: bool
    with_spectrogram: bool


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of one sound.

    Attributes:
        image: The image.
        image_path: Where it was written.
        spectrogram_path: Where the sound's spectrogram was written; `None` where none was asked for.
    """

    image: CreatedImage
    image_path: Path
    spectrogram_path: Path | None


def create(
    context: typer.Context,
    sounds: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOUND", help="Recordings: WAV, MP3, FLAC or OGG.", exists=True, dir_okay=False
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File that ends in .png, or a folder. Without it: SOUND's name with .png, here. "
            "An existing file is replaced.",
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="Way from sound to image; see `chladni recipes`.")
    ] = "",
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="INTEGER",
            help="Seed of the noise; the same seed gives the same image.",
            min=0,
            max=2**32 - 1,
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="INTEGER", help="Denoising steps: more take longer.", min=1)
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="How closely to follow the sound; 1 is not at all.", min=1),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="NAME", help="Scheduler by its diffusers class name.")
    ] = "",
    width: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Width, one that the model takes.", min=1)
    ] = None,
    height: Annotated[int | None, typer.Option(metavar="PIXELS", help="Height, likewise.", min=1)] = None,
    priority: Annotated[
        Priority, typer.Option(help="Whether someone waits for the image, or it is one of many.")
    ] = Priority.INTERACTIVE,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact/--no-exact",
            help="Promise the same pixels for the same request whatever else the server does; without the "
            "promise, it may be faster.",
        ),
    ] = True,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute anew, even what an identical request gave before.")
    ] = False,
    spectrogram: Annotated[
        bool, typer.Option("--spectrogram", help="Also write NAME.spectrogram.png beside each image.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open what was made in the desktop's viewer.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn sounds into images.

    One sound that is refused does not stop the others; the exit status is that of the first failure.
    With --json, each sound gives one line with its image or its error.

    [bold]Examples[/]

      chladni create voice.wav
      chladni create voice.wav -o portrait.png --seed 7 --steps 30
      chladni create *.ogg -o images/ --spectrogram --priority batch
      chladni create voice.wav --scheduler DPMSolverMultistepScheduler --no-cache
      chladni create voice.wav --json | jq .seed
    """
    destinations = destinations_of(sounds, output)
    choices = Choices(
        recipe=recipe,
        seed=seed,
        steps=steps,
        guidance_scale=guidance,
        scheduler=scheduler,
        width_pixels=width,
        height_pixels=height,
        priority=priority,
        exact=exact,
        bypass_cache=no_cache,
        with_spectrogram=spectrogram,
    )
    failures: list[ExitStatus] = []
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        for sound, destination in zip(sounds, destinations, strict=True):
            try:
                with creation_display(is_quiet=quiet) as display:
                    made = _make(client, sound, destination, choices, display)
            except (ChladniError, OSError) as error:
                report(error, subject=str(sound), as_json=as_json)
                failures.append(exit_status_of(error))
                if isinstance(error, UnavailableError):
                    break  # the others would meet the same closed door
                continue
            _print(sound, made, as_json=as_json)
            if show:
                typer.launch(str(made.image_path))
    if failures:
        raise typer.Exit(failures[0])


def destinations_of(sounds: Sequence[Path], output: Path | None) -> list[Path]:
    """Returns where the image of each sound goes.

    Raises:
        typer.BadParameter: Two of them would be the same file.
    """
    if output is not None and output.suffix.lower() == ".png" and not output.is_dir():
        if len(sounds) > 1:
            raise typer.BadParameter("for several sounds it must be a folder", param_hint="--output")
        return [output]
    folder = output or Path()
    destinations = [folder / f"{sound.stem}.png" for sound in sounds]
    name, count = Counter(destinations).most_common(1)[0]
    if count > 1:
        raise typer.BadParameter(
            f"{count} of the sounds would be written to {name}; make them in separate commands",
            param_hint="SOUND",
        )
    return destinations


def _make(client: Client, sound: Path, destination: Path, choices: Choices, display: CreationDisplay) -> Made:
    destination.parent.mkdir(parents=True, exist_ok=True)
    display.begin(sound.name)
    events = client.stream_image(
        sound,
        recipe=choices.recipe,
        seed=choices.seed,
        steps=choices.steps,
        guidance_scale=choices.guidance_scale,
        scheduler=choices.scheduler,
        width_pixels=choices.width_pixels,
        height_pixels=choices.height_pixels,
        priority=choices.priority,
        exact=choices.exact,
        bypass_cache=choices.bypass_cache,
    )
    with closing(events):
        for event in events:
            display.show(event)
            if isinstance(event, ImageCreated):
                image = event.image
    image.save(destination)
    spectrogram_path = None
    if choices.with_spectrogram:
        spectrogram_path = destination.with_name(f"{destination.stem}.spectrogram.png")
        client.render_spectrogram(sound).save(spectrogram_path)
    return Made(image, destination, spectrogram_path)


def _print(sound: Path, made: Made, *, as_json: bool) -> None:
    image = made.image
    if not as_json:
        console = Console(highlight=False, soft_wrap=True)
        console.print(
            f"{made.image_path}  {image.width_pixels} x {image.height_pixels}, seed {image.seed}, "
            f"{image.processing_seconds:.1f} s{', made before' if image.is_reused else ''}",
            markup=False,
        )
        return
    document: dict[str, Any] = {
        "audio": str(sound),
        "path": str(made.image_path),
        "spectrogram_path": made.spectrogram_path,
        "seed": image.seed,
    }
    document |= {name: value for name, value in asdict(image).items() if name != "png"}
    print_json(document)
