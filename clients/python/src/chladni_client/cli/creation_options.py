"""Options of the commands that make images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from chladni_client.cli.completion import complete_recipe
from chladni_client.types.images import Priority
from chladni_client.types.options import NoiseMode

_OF_RECIPE = "Of the recipe"
_OF_WORK = "Of the work"

RecipeOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Way from sound to image; see `chladni recipes`.",
        autocompletion=complete_recipe,
    ),
]
SeedOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="INTEGER",
        help="Seed of the noise; the same seed gives the same image.",
        min=0,
        max=2**32 - 1,
    ),
]
StepsOption: TypeAlias = Annotated[
    int | None, typer.Option(metavar="INTEGER", help="Denoising steps: more take longer.", min=1)
]
GuidanceOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER", help="How closely to follow the sound or the prompt; 1 adds nothing.", min=1
    ),
]
SchedulerOption: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Scheduler by its diffusers class name.")
]
WidthOption: TypeAlias = Annotated[
    int | None, typer.Option(metavar="PIXELS", help="Width, one that the model takes.", min=1)
]
HeightOption: TypeAlias = Annotated[
    int | None, typer.Option(metavar="PIXELS", help="Height, likewise.", min=1)
]

PromptOption: TypeAlias = Annotated[
    str, typer.Option(metavar="TEXT", help="Text to follow.", rich_help_panel=_OF_RECIPE)
]
PromptsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt",
        metavar="TEXT",
        help="Text to follow. Given several times, each gives an image of its own: NAME-1.png, NAME-2.png "
        "and so on.",
        rich_help_panel=_OF_RECIPE,
    ),
]
NegativePromptOption: TypeAlias = Annotated[
    str, typer.Option(metavar="TEXT", help="Text to avoid.", rich_help_panel=_OF_RECIPE)
]
StrengthOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="How far to go from the image of the sound, above 0 to 1.",
        min=0,
        max=1,
        rich_help_panel=_OF_RECIPE,
    ),
]
ModelOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Image model, if the recipe can use several.", rich_help_panel=_OF_RECIPE
    ),
]
NoiseModeOption: TypeAlias = Annotated[
    NoiseMode | None,
    typer.Option(
        help="How the sound becomes initial noise: by itself (mel, mostly mud), in seeded noise (blend), or "
        "by its cosine transform (dct).",
        rich_help_panel=_OF_RECIPE,
    ),
]
NoiseWeightOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="How much of the sound the noise holds, 0 to 1.",
        min=0,
        max=1,
        rich_help_panel=_OF_RECIPE,
    ),
]
CalibrationOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What scales the sound in the noise; the server's default if absent.",
        rich_help_panel=_OF_RECIPE,
    ),
]
LatentsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Initial latents in place of AUDIO, for latent-noise: a .npy or .safetensors file of z-scored "
        "latents, one or many, as `chladni-calibrate --latents` and `live --save-latents` write them.",
        rich_help_panel=_OF_RECIPE,
    ),
]
SubjectOption: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="INTEGER", help="Which of many latents; the first is 0.", min=0, rich_help_panel=_OF_RECIPE
    ),
]
UpscaleOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="FACTOR",
        help="Enlarge the finished image, 1 or 2 times.",
        min=1,
        max=2,
        rich_help_panel=_OF_RECIPE,
    ),
]
RefinerStartOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Part of the steps after which the refiner takes over, above 0 to 1; 1 leaves it out.",
        min=0,
        max=1,
        rich_help_panel=_OF_RECIPE,
    ),
]
LookOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="LOOKS",
        help="How the sound is shown: a look such as plate, several with shares, or auto by the sound.",
        rich_help_panel=_OF_RECIPE,
    ),
]
FromOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--from",
        metavar="SECONDS",
        help="Where the part of the audio that is meant begins; without it, at the beginning.",
        min=0,
    ),
]
ToOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--to", metavar="SECONDS", help="Where that part ends; without it, at the audio's end.", min=0
    ),
]
DraftsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--drafts",
        help="Also write the images that parts of the recipe start from: NAME.PART.png beside each image.",
        rich_help_panel=_OF_RECIPE,
    ),
]

ShowOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--show",
        help="Draw each image on the terminal: by kitty's protocol, as sixels, or as half blocks.",
    ),
]
PriorityOption: TypeAlias = Annotated[
    Priority,
    typer.Option(help="Whether someone waits for the image, or it is one of many.", rich_help_panel=_OF_WORK),
]
ExactOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--reproducible/--no-reproducible",
        help="Promise the same pixels for the same request whatever else the server does; without the "
        "promise, it may be faster.",
        rich_help_panel=_OF_WORK,
    ),
]
NoCacheOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Compute again, even if an identical request gave the image before.",
        rich_help_panel=_OF_WORK,
    ),
]
