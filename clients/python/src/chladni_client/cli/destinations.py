"""Where images and what belongs to them are written."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

_PART_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def destinations_of(sounds: Sequence[Path], output: Path | None, *, images_per_sound: int = 1) -> list[Path]:
    """Returns where each image goes: those of the first sound, those of the second, and so on.

    Raises:
        typer.BadParameter: Two of them would be the same file.
    """
    if output is not None and output.suffix.lower() == ".png" and not output.is_dir():
        if len(sounds) * images_per_sound > 1:
            raise typer.BadParameter("for several images it must be a folder", param_hint="--output")
        return [output]
    folder = output or Path()
    endings = [f"-{number}" for number in range(1, images_per_sound + 1)] if images_per_sound > 1 else [""]
    destinations = [folder / f"{sound.stem}{ending}.png" for sound in sounds for ending in endings]
    name, count = Counter(destinations).most_common(1)[0]
    if count > 1:
        raise typer.BadParameter(
            f"{count} of the images would be written to {name}; make them in separate commands",
            param_hint="SOUND",
        )
    return destinations


def draft_path_of(destination: Path, recipe_stage: str, *, number: int) -> Path:
    """Returns where a draft goes, beside its image.

    Args:
        destination: Where the finished image goes.
        recipe_stage: Part of the recipe that made the draft; what cannot be part of a name is not.
        number: Which draft of the image it is; the first one is 1.
    """
    part = recipe_stage if _PART_NAME.fullmatch(recipe_stage) else f"draft-{number}"
    return destination.with_name(f"{destination.stem}.{part}.png")
