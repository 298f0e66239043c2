"""`chladni create`: audio files become images."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from chladni_client.cli.creation import create_and_save, destinations_of, print_saved, print_saved_as_json
from chladni_client.cli.creation_options import (
    CalibrationOption,
    DraftsOption,
    ExactOption,
    GuidanceOption,
    HeightOption,
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
    StepsOption,
    StrengthOption,
    UpscaleOption,
    WidthOption,
)
from chladni_client.cli.display.progress import creation_display
from chladni_client.cli.failures import ExitStatus, exit_status_of, report, reported_failures
from chladni_client.cli.inputs import check_inputs, name_of, source_of
from chladni_client.cli.invocation import JsonOption, invocation_of
from chladni_client.errors import ChladniError, UnavailableError
from chladni_client.types.images import Priority
from chladni_client.types.options import CreationOptions


def create(
    context: typer.Context,
    clips: Annotated[
        list[Path],
        typer.Argument(
            metavar="AUDIO",
            help="Recordings: WAV, MP3, FLAC or OGG; - for standard input.",
            dir_okay=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File that ends in .png, or a folder. Without it: AUDIO's name with .png, in this folder. "
            "An existing file is replaced.",
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
    drafts: DraftsOption = False,
    priority: PriorityOption = Priority.INTERACTIVE,
    reproducible: ExactOption = True,
    no_cache: NoCacheOption = False,
    spectrogram: Annotated[
        bool, typer.Option("--spectrogram", help="Also write NAME.spectrogram.png beside each image.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open each image in the desktop's viewer.")] = False,
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
      chladni create voice.wav --recipe audioldm --drafts
      chladni create voice.wav --recipe latent-noise --noise-mode blend --noise-weight 0.5
      chladni create voice.wav --json | jq .seed
    """
    check_inputs(clips, hint="AUDIO")
    texts = prompts or [""]
    destinations = destinations_of(clips, output, images_per_clip=len(texts))
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
    )
    failures: list[ExitStatus] = []
    wanted = [(audio, number, text) for audio in clips for number, text in enumerate(texts, start=1)]
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        sources = {audio: source_of(audio) for audio in clips}
        for (audio, number, text), destination in zip(wanted, destinations, strict=True):
            name = f"{name_of(audio)} {number}/{len(texts)}" if len(texts) > 1 else name_of(audio)
            spectrogram_path = None
            try:
                with creation_display(is_quiet=quiet) as display:
                    display.begin(name)
                    chosen = options | CreationOptions(prompt=text)
                    saved = create_and_save(
                        client, sources[audio], destination, chosen, display, keeps_drafts=drafts
                    )
                if spectrogram:
                    spectrogram_path = destination.with_name(f"{destination.stem}.spectrogram.png")
                    client.render_spectrogram(sources[audio]).save(spectrogram_path)
            except (ChladniError, OSError) as error:
                report(error, subject=str(audio), as_json=as_json)
                failures.append(exit_status_of(error))
                if isinstance(error, UnavailableError):
                    break  # the other files would fail in the same way
                continue
            if as_json:
                print_saved_as_json(audio, saved, spectrogram_path=spectrogram_path)
            else:
                print_saved(saved)
            if show:
                typer.launch(str(saved.image_path))
    if failures:
        raise typer.Exit(failures[0])
