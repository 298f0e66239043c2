"""From an audio file to the files of its images, for every command that creates images."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from chladni_client.cli.destinations import STDOUT, image_format_of, prepare, write
from chladni_client.cli.display.progress import CreationDisplay, print_warnings
from chladni_client.cli.display.terminal_image import show_image
from chladni_client.cli.invocation import document_of, print_json
from chladni_client.client import Client
from chladni_client.files import FileSource
from chladni_client.types.events import ImageCreated, ImageDrafted, RecipeFellBack
from chladni_client.types.images import CreatedImage
from chladni_client.types.options import CreationOptions
from chladni_contract.printable import printable

_PART_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
    audio: FileSource | None,
    destination: Path,
    options: CreationOptions,
    display: CreationDisplay,
    *,
    keeps_drafts: bool = False,
) -> SavedImage:
    """Create an image and write it.

    Args:
        client: How to reach the server.
        audio: The audio file; `None` if the options hold initial latents in its place.
        destination: File for the image, whose name says its format, or standard output; missing folders are
            created.
        options: What is chosen for it.
        display: Shows the progress.
        keeps_drafts: Whether the images that parts of the recipe start from are written as well.

    Raises:
        ChladniError: The server refused or failed.
        OSError: A file cannot be read or written.
    """
    prepare(destination)
    if (image_format := image_format_of(destination)) is not None:
        options = options | CreationOptions(image_format=image_format)
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
    write(destination, image.content)
    draft_paths = tuple(
        draft.save(draft_path_of(destination, draft.part, number=number))
        for number, draft in enumerate(drafts, start=1)
    )
    return SavedImage(image, destination, draft_paths, tuple(fallbacks))


def print_saved(saved: SavedImage, *, shows_image: bool = False) -> None:
    """Print for people what was created, its path, and what should be known about it.

    Args:
        saved: What was created.
        shows_image: Whether to draw the image on the terminal as well.
    """
    image = saved.image
    is_on_stdout = saved.image_path == STDOUT
    line = (
        f"{'standard output' if is_on_stdout else printable(str(saved.image_path))}  "
        f"{image.width_pixels} x {image.height_pixels}, seed {image.seed}, {image.processing_seconds:.1f} s"
    )
    if image.is_reused:
        line += ", made before"
    if image.provenance.fallback:
        line += ", not by the recipe's own way"
    console = Console(highlight=False, soft_wrap=True, stderr=is_on_stdout)
    console.print(line, markup=False)
    for path in saved.draft_paths:
        console.print(f"{printable(str(path))}  a draft", markup=False)
    print_warnings(image.warnings)
    if shows_image:
        show_image(image.content)


def print_saved_as_json(audio: Path | None, saved: SavedImage, **further: Any) -> None:
    """Print for programs what was created."""
    document = {
        "audio": None if audio is None else str(audio),
        "path": str(saved.image_path),
        "draft_paths": [str(path) for path in saved.draft_paths],
        "fallbacks": [asdict(fallback) for fallback in saved.fallbacks],
        "seed": saved.image.seed,
        **further,
    }
    print_json(document | document_of(saved.image))
