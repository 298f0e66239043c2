"""`chladni create`: audio files become images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from chladni_client.cli.creation import create_and_save, print_saved, print_saved_as_json
from chladni_client.cli.creation_options import (
    CalibrationOption,
    DraftsOption,
    ExactOption,
    FromOption,
    GuidanceOption,
    HeightOption,
    LatentsOption,
    LookOption,
    ModelOption,
    NegativePromptOption,
    NoCacheOption,
    NoiseModeOption,
    NoiseWeightOption,
    PriorityOption,
    PromptsOption,
    RecipeOption,
    RefinerStartOption,
    SchedulerOption,
    SeedOption,
    ShowOption,
    StepsOption,
    StrengthOption,
    SubjectOption,
    ToOption,
    UpscaleOption,
    WidthOption,
)
from chladni_client.cli.destinations import STDOUT, destinations_of
from chladni_client.cli.display.progress import creation_display
from chladni_client.cli.failures import ExitStatus, exit_status_of, report, reported_failures
from chladni_client.cli.inputs import check_inputs, clips_in, name_of, source_of
from chladni_client.cli.invocation import JsonOption, invocation_of
from chladni_client.cli.latents import SUFFIXES, read_latents
from chladni_client.errors import ChladniError, UnavailableError
from chladni_client.types.images import Priority
from chladni_client.types.options import CreationOptions


def create(
    context: typer.Context,
    clips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="AUDIO",
            help="Audio files, folders of them, or - for standard input.",
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File that ends in .png, .jpg or .webp (with --look plate also .svg or .pdf), a folder, or "
            "- for standard output. Without it: AUDIO's name with .png, in this folder. An existing file is "
            "replaced.",
        ),
    ] = None,
    recipe: RecipeOption = "",
    seed: SeedOption = None,
    steps: StepsOption = None,
    guidance: GuidanceOption = None,
    scheduler: SchedulerOption = "",
    width: WidthOption = None,
    height: HeightOption = None,
    prompts: PromptsOption = None,
    negative_prompt: NegativePromptOption = "",
    strength: StrengthOption = None,
    model: ModelOption = "",
    noise_mode: NoiseModeOption = None,
    noise_weight: NoiseWeightOption = None,
    calibration: CalibrationOption = "",
    upscale: UpscaleOption = None,
    refiner_start: RefinerStartOption = None,
    look: LookOption = "",
    start: FromOption = None,
    end: ToOption = None,
    latents: LatentsOption = None,
    subject: SubjectOption = 0,
    drafts: DraftsOption = False,
    priority: PriorityOption = Priority.INTERACTIVE,
    reproducible: ExactOption = True,
    no_cache: NoCacheOption = False,
    spectrogram: Annotated[
        bool, typer.Option("--spectrogram", help="Also write NAME.spectrogram.png beside each image.")
    ] = False,
    shows: ShowOption = False,
    opens: Annotated[bool, typer.Option("--open", help="Open each image in the desktop's viewer.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn audio files into images.

    A file that is refused does not stop the others; the exit status is that of the first failure.
    With --json, each image gives one line that describes it, or its error. `chladni recipes` lists which of
    the options below each recipe takes.

    [bold]Examples[/]

      chladni create voice.wav
      chladni create voice.wav -o portrait.png --seed 7 --steps 30
      chladni create *.ogg -o images/ --spectrogram --priority batch
      chladni create song.ogg --recipe music-prompts --prompt "a harbour at dawn" --prompt "neon rain"
      chladni create voice.wav --look auto
      chladni create voice.wav --look plate:2,water:1
      chladni create voice.wav --recipe audioldm --drafts
      chladni create voice.wav --recipe latent-noise --noise-mode blend --noise-weight 0.5
      chladni create recordings/ -o images/
      chladni create concert.mp3 --from 95 --to 120
      chladni create voice.wav -o - | display
      chladni create --recipe latent-noise --latents voices.npy --subject 2
      chladni create voice.wav --json | jq .seed
    """
    texts = prompts or [""]
    subjects = _subjects(clips, latents, subject)
    destinations = destinations_of([item.path for item in subjects], output, images_per_clip=len(texts))
    if STDOUT in destinations and (spectrogram or drafts or as_json or shows):
        raise typer.BadParameter(
            "what goes to standard output is the image alone; leave out --spectrogram, --drafts, --show and "
            "--json",
            param_hint="'--output'",
        )
    options = CreationOptions(
        recipe=recipe,
        seed=seed,
        steps=steps,
        guidance_scale=guidance,
        scheduler=scheduler,
        width_pixels=width,
        height_pixels=height,
        priority=priority,
        reproducible=reproducible,
        bypass_cache=no_cache,
        negative_prompt=negative_prompt,
        strength=strength,
        model=model,
        noise_mode=noise_mode,
        noise_weight=noise_weight,
        calibration=calibration,
        upscale=upscale,
        refiner_start=refiner_start,
        look=look,
        start_seconds=start,
        end_seconds=end,
    )
    failures: list[ExitStatus] = []
    wanted = [(item, number, text) for item in subjects for number, text in enumerate(texts, start=1)]
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        if latents is not None:
            options |= CreationOptions(initial_latents=read_latents(latents, subject))
        sources = {item.path: source_of(item.path) for item in subjects if item.is_audio}
        for (item, number, text), destination in zip(wanted, destinations, strict=True):
            audio, source = item.path, sources.get(item.path)
            name = f"{name_of(audio)} {number}/{len(texts)}" if len(texts) > 1 else name_of(audio)
            spectrogram_path = None
            try:
                with creation_display(is_quiet=quiet) as display:
                    display.begin(name)
                    chosen = options | CreationOptions(prompt=text)
                    saved = create_and_save(client, source, destination, chosen, display, keeps_drafts=drafts)
                if spectrogram and source is not None:
                    spectrogram_path = destination.with_name(f"{destination.stem}.spectrogram.png")
                    client.render_spectrogram(source).save(spectrogram_path)
            except (ChladniError, OSError) as error:
                report(error, subject=str(audio), as_json=as_json)
                failures.append(exit_status_of(error))
                if isinstance(error, UnavailableError):
                    break  # the other files would fail in the same way
                continue
            if as_json:
                print_saved_as_json(
                    audio if item.is_audio else None, saved, spectrogram_path=spectrogram_path
                )
            else:
                print_saved(saved, shows_image=shows)
            if opens and destination != STDOUT:
                typer.launch(str(saved.image_path))
    if failures:
        raise typer.Exit(failures[0])


@dataclass(frozen=True, slots=True)
class _Subject:
    """What an image is made of.

    Attributes:
        path: The audio file, or the name that stands for latents.
        is_audio: Whether it is audio.
    """

    path: Path
    is_audio: bool = True


def _subjects(clips: Sequence[Path] | None, latents: Path | None, subject: int) -> list[_Subject]:
    """Return what to make images of: the clips, or one of the latents.

    Raises:
        typer.BadParameter: Neither is given, or a file is missing.
    """
    if latents is None:
        if not clips:
            raise typer.BadParameter("Missing argument 'AUDIO'.", param_hint="AUDIO")
        return [_Subject(path) for path in clips_in(clips, hint="AUDIO")]
    if clips:
        raise typer.BadParameter(
            "--latents takes the place of AUDIO; leave one out", param_hint="'--latents'"
        )
    if latents.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"must end in {' or '.join(SUFFIXES)}", param_hint="'--latents'")
    check_inputs([latents], hint="--latents")
    return [_Subject(latents.with_name(f"{latents.stem}-{subject}"), is_audio=False)]
