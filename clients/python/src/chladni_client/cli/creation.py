"""From an audio file to the files of its images, for every command that creates images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console

from chladni_client.cli.display.progress import CreationDisplay
from chladni_client.cli.inputs import stem_of
from chladni_client.cli.invocation import document_of, print_json
from chladni_client.client import Client
from chladni_client.files import FileSource
from chladni_client.types.events import ImageCreated, ImageDrafted, RecipeFellBack
from chladni_client.types.images import CreatedImage
from chladni_client.types.options import CreationOptions

_PART_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def destinations_of(clips: Sequence[Path], output: Path | None, *, images_per_clip: int = 1) -> list[Path]:
    """Return the path of each image: those of the first clip, those of the second, and so on.

    Raises:
        typer.BadParameter: Two of them would be the same file.
    """
    if output is not None and output.suffix.lower() == ".png" and not output.is_dir():
        if len(clips) * images_per_clip > 1:
            raise typer.BadParameter("for several images it must be a folder", param_hint="--output")
        return [output]
    folder = output or Path()
    endings = [f"-{number}" for number in range(1, images_per_clip + 1)] if images_per_clip > 1 else [""]
    destinations = [folder / f"{stem_of(clip)}{ending}.png" for clip in clips for ending in endings]
    name, count = Counter(destinations).most_common(1)[0]
    if count > 1:
        raise typer.BadParameter(
            f"{count} of the images would be written to {name}; create them in separate commands",
            param_hint="AUDIO",
        )
    return destinations


def draft_path_of(destination: Path, part: str, *, number: int) -> Path:
    """Return the path of a draft, beside its image.

    Args:
        destination: Path of the finished image.
        part: Part of the recipe that made the draft; unless it cannot be part of a file name.
        number: Which draft of the image it is; the first one is 1.
    """
    part = part if _PART_NAME.fullmatch(part) else f"draft-{number}"
    return destination.with_name(f"{destination.stem}.{part}.png")


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image, and the files that were written for it.

    Attributes:
        image: The image.
        image_path: File of the image.
        draft_paths: Files of the images that it was made from; empty unless drafts were requested.
        fallbacks: Steps at which the recipe took another way than its own.
    """

    image: CreatedImage
    image_path: Path
    draft_paths: tuple[Path, ...]
    fallbacks: tuple[RecipeFellBack, ...]


def create_and_save(
    client: Client,
    audio: FileSource,
    destination: Path,
    options: CreationOptions,
    display: CreationDisplay,
    *,
    keeps_drafts: bool = False,
) -> SavedImage:
    """Create an image and write it.

    Args:
        client: How to reach the server.
        audio: The audio file.
        destination: File for the image; missing folders are created.
        options: What is chosen for it.
        display: Shows the progress.
        keeps_drafts: Whether the images that parts of the recipe start from are written as well.

    Raises:
        ChladniError: The server refused or failed.
        OSError: A file cannot be read or written.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    drafts: list[ImageDrafted] = []
    fallbacks: list[RecipeFellBack] = []
    with closing(client.stream_image(audio, **options)) as events:
        for event in events:
            display.show(event)
            match event:
                case ImageDrafted() if keeps_drafts:
                    drafts.append(event)
                case RecipeFellBack():
                    fallbacks.append(event)
                case ImageCreated():
                    image = event.image
    image.save(destination)
    draft_paths = tuple(
        draft.save(draft_path_of(destination, draft.part, number=number))
        for number, draft in enumerate(drafts, start=1)
    )
    return SavedImage(image, destination, draft_paths, tuple(fallbacks))


def print_saved(saved: SavedImage) -> None:
    """Print for people what was created, and its path."""
    image = saved.image
    line = (
        f"{saved.image_path}  {image.width_pixels} x {image.height_pixels}, seed {image.seed}, "
        f"{image.processing_seconds:.1f} s"
    )
    if image.is_reused:
        line += ", made before"
    if image.provenance.fallback:
        line += ", not by the recipe's own way"
    console = Console(highlight=False, soft_wrap=True)
    console.print(line, markup=False)
    for path in saved.draft_paths:
        console.print(f"{path}  a draft", markup=False)


def print_saved_as_json(audio: Path, saved: SavedImage, **further: Any) -> None:
    """Print for programs what was created."""
    document = {
        "audio": str(audio),
        "path": str(saved.image_path),
        "draft_paths": [str(path) for path in saved.draft_paths],
        "fallbacks": [asdict(fallback) for fallback in saved.fallbacks],
        "seed": saved.image.seed,
        **further,
    }
    print_json(document | document_of(saved.image))
